/// \file Environment variables that stand only while a module initialises.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "clock.h"

namespace holdfast {

/// Values by name, as `NativeModuleOptions.environment` gives them.
using EnvironmentVariables = std::map<std::string, std::string>;

/// Sets variables while it lives; the former ones are put back when the last scope ends. SoftHSM reads
/// SOFTHSM2_CONF in `C_Initialize`, and two members may need two values: the second waits until the first is
/// through. One whose variables stand already changes nothing and does not wait. A module that hangs in
/// `C_Initialize` has read its environment long ago: after `kLongestStand` its scope is over for the others.
/// The C library cannot make this safe against a `getenv` on another thread at the same instant; hence the
/// window is `C_Initialize` alone, and nothing is set while another scope stands.
class EnvironmentScope {
 public:
  static constexpr auto kLongestStand = std::chrono::seconds(2);

  /// Throws `lane-deadline` where its turn does not come in time.
  EnvironmentScope(const EnvironmentVariables& variables, Deadline deadline);
  EnvironmentScope(const EnvironmentScope&) = delete;
  EnvironmentScope& operator=(const EnvironmentScope&) = delete;
  ~EnvironmentScope();

 private:
  /// Among the scopes of which turn it stands; 0 where it sets nothing.
  uint64_t turn_ = 0;
};

}  // namespace holdfast
