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
#include <fstream>
#include <iterator>
#include <map>
#include <string_view>
#include <system_error>
#include <tuple>
#include <vector>

#include "failure.h"
#include "function_list.h"
#include "library_trial.h"
#include "load_flags.h"
#include "module_exit.h"
#include "mutex.h"
#include "never_destroyed.h"
#include "return_values.h"

namespace holdfast {
namespace {

/// Private copies, kept for ever (see ModuleLibrary).
struct Copies {
  /// A library that was upgraded in place counts as another library. A copy keeps for ever what it read from
  /// its environment when it was loaded.
  using Kind = std::tuple<std::string, FileVersion, EnvironmentVariables>;

  Mutex mutex;
  std::map<Kind, std::vector<std::shared_ptr<ModuleLibrary>>> copies GUARDED_BY(mutex);
};

NeverDestroyed<Copies>& known() {
  static NeverDestroyed<Copies> instance;
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

/// An anonymous file: it needs no writable folder, works if /tmp is mounted noexec, and cannot be changed
/// between copy and load. It stays open for ever, because the loader knows libraries by name, and
/// `/proc/self/fd/N` must never name another one.
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

struct stat statusOf(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) failWith("cannot read", path);
  if (!S_ISREG(status.st_mode)) throw failure(FailureKind::kModule, path + " is not a file");
  return status;
}

bool contains(const std::string& path, std::string_view text) {
  std::ifstream file(path, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(file), {}};
  return content.find(text) != std::string::npos;
}

/// A copy in memory is in no folder, so it finds no libraries beside itself.
std::string hintFor(const std::string& realPath, const std::string& loadPath) {
  if (realPath == loadPath || !contains(realPath, "$ORIGIN")) return "";
  return "; it looks for its other libraries beside itself ($ORIGIN), where a private copy finds none: "
         "set privateInstance: false for this module";
}

/// The loader's message, in which the original file's name replaces the copy's.
std::string loaderMessage(const std::string& realPath, const std::string& loadPath) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): our C libraries keep one message per thread.
  const char* const reason = dlerror();
  std::string message = reason == nullptr ? "no reason given" : reason;
  if (message.starts_with(loadPath)) message.replace(0, loadPath.size(), realPath);
  return message;
}

}  // namespace

std::string realPathOf(const std::string& libraryPath) {
  char resolved[PATH_MAX];
  if (::realpath(libraryPath.c_str(), resolved) == nullptr) failWith("cannot find", libraryPath);
  return resolved;
}

FileVersion fileVersionOf(const std::string& realPath) {
  const auto status = statusOf(realPath);
  constexpr int64_t kSecond = 1'000'000'000;
  const auto nanoseconds = [](const timespec& time) { return time.tv_sec * kSecond + time.tv_nsec; };
  return {{status.st_dev, status.st_ino},
          status.st_size,
          nanoseconds(status.st_mtim),
          nanoseconds(status.st_ctim)};
}

/// Lets make_shared reach the constructor.
struct ModuleLibrary::Constructible : ModuleLibrary {
  Constructible(const std::string& realPath, const std::string& loadPath)
      : ModuleLibrary(realPath, loadPath) {}
};

ModuleLibrary::ModuleLibrary(const std::string& realPath, const std::string& loadPath) {
  void* const handle = dlopen(loadPath.c_str(), libraryLoadFlags());
  if (handle == nullptr)
    throw failure(FailureKind::kModule, loaderMessage(realPath, loadPath) + hintFor(realPath, loadPath));
  using GetFunctionList = CK_RV (*)(CK_FUNCTION_LIST**);
  const auto get = reinterpret_cast<GetFunctionList>(dlsym(handle, "C_GetFunctionList"));
  if (get == nullptr)
    throw failure(FailureKind::kModule, realPath + " has no C_GetFunctionList: it is not a PKCS#11 library");
  try {
    const CK_RV rv = get(&functions_);
    functions_ = requireFunctionList(rv, functions_);
    failWhereModulesExit();
  } catch (Failure& refused) {
    const std::string detail = refused.detail.empty() ? "" : ": " + refused.detail;
    refused.detail = realPath + detail + hintFor(realPath, loadPath);
    throw;
  }
}

std::shared_ptr<ModuleLibrary> ModuleLibrary::shared(const std::string& realPath,
                                                     const EnvironmentVariables& environment,
                                                     Deadline deadline) {
  tryInAnotherProcess(realPath, environment, deadline);
  return std::make_shared<Constructible>(realPath, realPath);
}

std::shared_ptr<ModuleLibrary> ModuleLibrary::privateCopy(const std::string& realPath,
                                                          const EnvironmentVariables& environment,
                                                          Deadline deadline) {
  const Copies::Kind kind{realPath, fileVersionOf(realPath), environment};
  MutexLock lock(known()->mutex);
  for (const auto& copy : known()->copies[kind]) {
    // Only this list holds the copy: its last user has finalised it.
    if (copy.use_count() == 1) return copy;
  }
  // Loads without the lock, so others need not wait for a library that is slow to load.
  lock.unlock();
  tryInAnotherProcess(realPath, environment, deadline);
  auto copy = std::make_shared<Constructible>(realPath, copyToMemory(realPath));
  lock.lock();
  known()->copies[kind].push_back(copy);
  return copy;
}

}  // namespace holdfast
