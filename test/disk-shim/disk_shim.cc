/// \file Stands in front of the C library's writes to disk (LD_PRELOAD): Node's and SQLite's go through it,
/// those of SoftHSM's streams do not. Counts them, and kills the process at one, or lets the disk be full
/// from one on. See `test/crash/disk-shim.ts`.
#include <dlfcn.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <string>

#include "page.h"

namespace {

using diskshim::Action;

template <typename Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

std::string pathOf(int file) {
  char path[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(file);
  const ssize_t length = readlink(link.c_str(), path, sizeof(path));
  return length <= 0 ? "" : std::string(path, static_cast<size_t>(length));
}

[[noreturn]] void die() {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

/// Calls `forward`, unless the test decided otherwise for this call.
template <typename Forward>
auto guarded(const char* function, const std::string& path, Forward forward) -> decltype(forward()) {
  diskshim::Page* page = diskshim::page();
  if (page == nullptr || !diskshim::isWatched(path)) return forward();
  switch (diskshim::note(*page, diskshim::nameOf(function, path))) {
    case diskshim::kDie:
      die();
    case diskshim::kDieAfter:
      forward();
      die();
    case diskshim::kNoSpace:
      errno = ENOSPC;
      return -1;
    case diskshim::kNone:
      break;
  }
  return forward();
}

}  // namespace

// They must be found instead of the C library's.
#pragma GCC visibility push(default)
extern "C" {

ssize_t write(int file, const void* data, size_t size) {
  static const auto kNext = next<ssize_t (*)(int, const void*, size_t)>("write");
  return guarded("write", pathOf(file), [&] { return kNext(file, data, size); });
}

ssize_t pwrite(int file, const void* data, size_t size, off_t offset) {
  static const auto kNext = next<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite");
  return guarded("pwrite", pathOf(file), [&] { return kNext(file, data, size, offset); });
}

ssize_t pwrite64(int file, const void* data, size_t size, off64_t offset) {
  static const auto kNext = next<ssize_t (*)(int, const void*, size_t, off64_t)>("pwrite64");
  return guarded("pwrite", pathOf(file), [&] { return kNext(file, data, size, offset); });
}

int ftruncate(int file, off_t length) {
  static const auto kNext = next<int (*)(int, off_t)>("ftruncate");
  return guarded("ftruncate", pathOf(file), [&] { return kNext(file, length); });
}

int ftruncate64(int file, off64_t length) {
  static const auto kNext = next<int (*)(int, off64_t)>("ftruncate64");
  return guarded("ftruncate", pathOf(file), [&] { return kNext(file, length); });
}

int fsync(int file) {
  static const auto kNext = next<int (*)(int)>("fsync");
  return guarded("fsync", pathOf(file), [&] { return kNext(file); });
}

int fdatasync(int file) {
  static const auto kNext = next<int (*)(int)>("fdatasync");
  return guarded("fdatasync", pathOf(file), [&] { return kNext(file); });
}

int rename(const char* from, const char* to) noexcept {
  static const auto kNext = next<int (*)(const char*, const char*)>("rename");
  return guarded("rename", to, [&] { return kNext(from, to); });
}

int link(const char* from, const char* to) noexcept {
  static const auto kNext = next<int (*)(const char*, const char*)>("link");
  return guarded("link", to, [&] { return kNext(from, to); });
}

int unlink(const char* path) noexcept {
  static const auto kNext = next<int (*)(const char*)>("unlink");
  return guarded("unlink", path, [&] { return kNext(path); });
}

}  // extern "C"
#pragma GCC visibility pop
