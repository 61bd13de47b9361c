#include "file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <system_error>
#include <thread>

#include "failure.h"
#include "module_library.h"

namespace holdfast {
namespace {

[[noreturn]] void failWith(const std::string& what, int error) {
  throw failure(FailureKind::kLock, what + (error == 0 ? "" : ": " + std::generic_category().message(error)));
}

void requireOwnDirectory(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) failWith("cannot make " + directory, errno);
  struct stat status {};
  // lstat: a link planted in place of the folder would lead elsewhere.
  if (::lstat(directory.c_str(), &status) != 0) failWith("cannot look at " + directory, errno);
  const bool ours =
      S_ISDIR(status.st_mode) && status.st_uid == ::geteuid() && (status.st_mode & 07777) == 0700;
  if (!ours) {
    failWith(directory +
                 " must be a folder of this user with mode 0700: remove it, or set lockDirectory elsewhere",
             0);
  }
}

/// FNV-1a: the name needs to be the same in every process, not secret.
std::string fileName(const char* kind, const std::string& named) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char character : named) {
    hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001b3;
  }
  char name[40];
  static_cast<void>(std::snprintf(name, sizeof name, "%s-%016" PRIx64 ".lock", kind, hash));
  return name;
}

std::shared_ptr<FileLock> acquire(const std::string& directory, const std::string& file, Deadline deadline) {
  requireOwnDirectory(directory);
  const std::string path = directory + "/" + file;
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) failWith("cannot open " + path, errno);
  auto lock = std::make_shared<FileLock>(descriptor);
  // Polled, because a blocking flock has no deadline. 10 ms are little beside an initialisation with login.
  while (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) failWith("cannot lock " + path, errno);
    if (Clock::now() >= deadline) throw failure(FailureKind::kLockHeld, "another process holds " + path);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return lock;
}

}  // namespace

std::shared_ptr<FileLock> FileLock::ofModule(const ModuleOptions& module, const std::string& directory,
                                             Deadline deadline) {
  std::string named = realPathOf(module.libraryPath);
  for (const auto& [name, value] : module.environment)
    named.append(1, '\0').append(name).append("=").append(value);
  if (module.initializationString) named.append(1, '\0').append(*module.initializationString);
  return acquire(directory, fileName("module", named), deadline);
}

std::shared_ptr<FileLock> FileLock::ofLogin(const std::string& tokenSerialNumber,
                                            const std::string& credentialVersion,
                                            const std::string& directory, Deadline deadline) {
  return acquire(directory, fileName("login", tokenSerialNumber + '\0' + credentialVersion), deadline);
}

FileLock::~FileLock() {
  // A child that a module has forked meanwhile holds the lock too. Unlocking releases it for both.
  ::flock(descriptor_, LOCK_UN);
  ::close(descriptor_);
}

}  // namespace holdfast
