/// \file File locks across processes: one that serialises initialise-and-login (SoftHSM loses
/// tokens otherwise), and one for each PIN that a token has not judged yet (invariant 7).
#pragma once

#include <memory>
#include <string>

#include "module.h"

namespace holdfast {

/// An exclusive flock(2), held until this object is destroyed. The kernel drops it when the process dies.
class FileLock {
 public:
  /// Takes the lock named by the module's real path, environment and initialisation string. So a member that
  /// hangs in C_Initialize does not block members of other token directories. Waits until the deadline; fails
  /// with kind `lock-held`. `directory` is made with mode 0700 if it is missing, and refused if another user
  /// owns it or may write to it: a lock that others can hold is a way to stop us.
  [[nodiscard]] static std::shared_ptr<FileLock> ofModule(const ModuleOptions& module,
                                                          const std::string& directory, Deadline deadline);
  /// Takes the lock named by a token and the version of a credential. A C_Login holds it until it returns,
  /// however late.
  [[nodiscard]] static std::shared_ptr<FileLock> ofLogin(const std::string& tokenSerialNumber,
                                                         const std::string& credentialVersion,
                                                         const std::string& directory, Deadline deadline);

  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

 private:
  const int descriptor_;
};

}  // namespace holdfast
