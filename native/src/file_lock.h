/// \file The file lock that serialises initialise-and-login across processes (design §6; SoftHSM loses tokens
/// otherwise).
#pragma once

#include <memory>
#include <string>

#include "module.h"

namespace holdfast {

/// An exclusive flock(2) on a file named by what the module is initialised with: its real path, environment
/// and initialisation string. So a member that hangs in C_Initialize keeps no member of another token
/// directory out. The kernel drops it when the process dies.
class ModuleLock {
 public:
  /// Waits until the deadline; fails with kind `lock`. `directory` is made with mode 0700 where it is
  /// missing, and refused where somebody else owns it or may write to it: a lock that others can hold is a
  /// way to stop us.
  static std::shared_ptr<ModuleLock> acquire(const ModuleOptions& module, const std::string& directory,
                                             Deadline deadline);

  explicit ModuleLock(int descriptor) : descriptor_(descriptor) {}
  ModuleLock(const ModuleLock&) = delete;
  ModuleLock& operator=(const ModuleLock&) = delete;
  ~ModuleLock() { release(); }

  /// Once or more often; not from two threads.
  void release();

 private:
  int descriptor_;
};

}  // namespace holdfast
