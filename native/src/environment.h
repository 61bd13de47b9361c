/// \file Environment variables that stand only while a module is loaded and initialised.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "clock.h"

namespace holdfast {

/// Values by name, as `NativeModuleOptions.environment` gives them.
using EnvironmentVariables = std::map<std::string, std::string>;

/// Whether both leave a module with the same variables, whatever the process itself has of them. An empty
/// value is not the same as none: `getenv` tells them apart, and so may a module.
[[nodiscard]] bool leaveTheSame(const EnvironmentVariables& one, const EnvironmentVariables& other);

/// Sets variables while it lives; the former ones are put back when the last scope ends, and so are signals
/// and umask
/// (`ProcessSettings`), which the module may have changed. Modules read theirs
/// when they are loaded (pkcs11-spy), in `C_GetFunctionList` or in `C_Initialize` (SoftHSM), and two members
/// may need two values: the second waits until the first is through, also if it sets none, because it must
/// not see those of another. Scopes that leave the same variables stand together. A module that hangs has
/// read its environment long ago: after `kLongestStand` its scope is over for the others. The C library
/// cannot make this safe against a `getenv` on another thread at the same instant; hence the window is as
/// short as that, and nothing is set while another scope stands.
class EnvironmentScope {
 public:
  static constexpr auto kLongestStand = std::chrono::seconds(2);

  /// Throws `lane-deadline` if its turn does not come in time.
  [[nodiscard]] EnvironmentScope(const EnvironmentVariables& variables, Deadline deadline);
  EnvironmentScope(const EnvironmentScope&) = delete;
  EnvironmentScope& operator=(const EnvironmentScope&) = delete;
  ~EnvironmentScope();

 private:
  /// Among the scopes of which turn it stands.
  uint64_t turn_;
};

}  // namespace holdfast
