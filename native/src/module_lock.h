/// \file The file lock that serialises initialise-and-login across processes (design §6; SoftHSM loses tokens
/// otherwise).
#pragma once

#include <memory>
#include <string>

#include "clock.h"

namespace holdfast {

/// An exclusive flock(2) on a file named by the module's real path. The kernel drops it when the process
/// dies.
class ModuleLock {
 public:
  /// Waits until the deadline; fails with kind `lock`. `directory` is made with mode 0700 where it is
  /// missing, and refused where somebody else owns it or may write to it: a lock that others can hold is a
  /// way to stop us.
  static std::shared_ptr<ModuleLock> acquire(const std::string& libraryPath, const std::string& directory,
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
