/// \file Environment variables that are set only while a module is loaded and initialised.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "clock.h"

namespace holdfast {

/// Values by name, as `NativeModuleOptions.environment` gives them.
using EnvironmentVariables = std::map<std::string, std::string>;

/// Whether both give a module the same variables, whatever the process itself has. An empty value is not the
/// same as none: `getenv` distinguishes them, and so may a module.
[[nodiscard]] bool leaveTheSame(const EnvironmentVariables& one, const EnvironmentVariables& other);

/// Sets variables while it lives. The end of the last scope restores the former values, and the signals and
/// umask that the module may have changed (`ProcessSettings`). Modules read their variables when they are
/// loaded (pkcs11-spy), in `C_GetFunctionList` or in `C_Initialize` (SoftHSM), and two members may need two
/// values. So the second member waits until the first is done. It waits even if it sets no variables, because
/// it must not see another member's. Scopes with the same variables run together. A module that hangs read
/// its environment long ago: after `kLongestStand` its scope no longer blocks others. The C library cannot
/// make this safe against a `getenv` on another thread at the same instant. Hence the window is short, and
/// nothing is set while another scope is in force.
class EnvironmentScope {
 public:
  static constexpr auto kLongestStand = std::chrono::seconds(2);

  /// Throws `lane-deadline` if its turn does not come in time.
  [[nodiscard]] EnvironmentScope(const EnvironmentVariables& variables, Deadline deadline);
  EnvironmentScope(const EnvironmentScope&) = delete;
  EnvironmentScope& operator=(const EnvironmentScope&) = delete;
  ~EnvironmentScope();

 private:
  /// The turn that this scope belongs to.
  uint64_t turn_;
};

}  // namespace holdfast
