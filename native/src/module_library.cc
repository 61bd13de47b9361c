#include "module_library.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <map>
#include <mutex>
#include <system_error>
#include <tuple>
#include <vector>

#include "failure.h"
#include "function_list.h"
#include "never_destroyed.h"

namespace holdfast {
namespace {

/// All loaded libraries, kept for ever (see ModuleLibrary).
struct Loaded {
  /// Path, device, inode, modification time: a library that was upgraded in place is another library.
  using FileIdentity = std::tuple<std::string, dev_t, ino_t, time_t, off_t>;

  std::mutex mutex;
  std::map<std::string, std::shared_ptr<ModuleLibrary>> shared;
  std::map<FileIdentity, std::vector<std::shared_ptr<ModuleLibrary>>> copies;
};

NeverDestroyed<Loaded>& loaded() {
  static NeverDestroyed<Loaded> instance;
  return instance;
}

[[noreturn]] void failWith(const std::string& what, const std::string& path) {
  throw failure(FailureKind::kModule, what + " " + path + ": " + std::generic_category().message(errno));
}

/// Closes a file descriptor at the end of a scope.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int get() const { return number_; }

 private:
  int number_;
};

/// An anonymous file: it needs no writable folder, works where /tmp is mounted noexec, and nobody can change
/// it between copy and load. Left open for ever, because the loader knows libraries by name and
/// `/proc/self/fd/N` must never come to name another one.
int anonymousFile() {
  constexpr unsigned kExecutable = 0x10;  // MFD_EXEC, which kernels before 6.3 refuse and newer ones want.
  const int executable = memfd_create("holdfast-pkcs11", MFD_CLOEXEC | kExecutable);
  return executable >= 0 ? executable : memfd_create("holdfast-pkcs11", MFD_CLOEXEC);
}

std::string copyToMemory(const std::string& path) {
  const Descriptor source(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (source.get() < 0 || ::fstat(source.get(), &status) != 0) failWith("cannot read", path);
  const int copy = anonymousFile();
  if (copy < 0) failWith("cannot copy", path);
  for (off_t done = 0; done < status.st_size;) {
    const ssize_t sent = ::sendfile(copy, source.get(), &done, static_cast<size_t>(status.st_size - done));
    if (sent > 0) continue;
    ::close(copy);
    failWith("cannot copy", path);
  }
  return "/proc/self/fd/" + std::to_string(copy);
}

/// RTLD_DEEPBIND binds the module to the libraries it was linked with: node exports an OpenSSL of its own,
/// and SoftHSM would run on a mixture of the two. The sanitizers' runtimes refuse the flag.
int loadFlags() {
  const bool sanitized =
      dlsym(RTLD_DEFAULT, "__asan_init") != nullptr || dlsym(RTLD_DEFAULT, "__tsan_init") != nullptr;
  return RTLD_NOW | RTLD_LOCAL | (sanitized ? 0 : RTLD_DEEPBIND);
}

Loaded::FileIdentity identityOf(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) failWith("cannot read", path);
  return {path, status.st_dev, status.st_ino, status.st_mtime, status.st_size};
}

}  // namespace

std::string realPathOf(const std::string& libraryPath) {
  char resolved[PATH_MAX];
  if (::realpath(libraryPath.c_str(), resolved) == nullptr) failWith("cannot find", libraryPath);
  return resolved;
}

ModuleLibrary::ModuleLibrary(const std::string& loadPath) {
  void* const handle = dlopen(loadPath.c_str(), loadFlags());
  // NOLINTNEXTLINE(concurrency-mt-unsafe): the C libraries that we run on keep a message a thread.
  if (handle == nullptr) throw failure(FailureKind::kModule, std::string("dlopen: ") + dlerror());
  using GetFunctionList = CK_RV (*)(CK_FUNCTION_LIST**);
  const auto get = reinterpret_cast<GetFunctionList>(dlsym(handle, "C_GetFunctionList"));
  if (get == nullptr) throw failure(FailureKind::kModule, "the library has no C_GetFunctionList");
  const CK_RV rv = get(&functions_);
  functions_ = requireFunctionList(rv, functions_);
}

std::shared_ptr<ModuleLibrary> ModuleLibrary::load(const std::string& loadPath) {
  struct Constructible : ModuleLibrary {
    explicit Constructible(const std::string& path) : ModuleLibrary(path) {}
  };
  return std::make_shared<Constructible>(loadPath);
}

std::shared_ptr<ModuleLibrary> ModuleLibrary::shared(const std::string& realPath) {
  const std::lock_guard lock(loaded()->mutex);
  auto& library = loaded()->shared[realPath];
  if (!library) library = load(realPath);
  return library;
}

std::shared_ptr<ModuleLibrary> ModuleLibrary::privateCopy(const std::string& realPath) {
  const std::lock_guard lock(loaded()->mutex);
  auto& copies = loaded()->copies[identityOf(realPath)];
  for (const auto& copy : copies) {
    // Only this list holds it: its last user has finalised it.
    if (copy.use_count() == 1) return copy;
  }
  copies.push_back(load(copyToMemory(realPath)));
  return copies.back();
}

}  // namespace holdfast
