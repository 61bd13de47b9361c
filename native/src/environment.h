/// \file Environment variables that stand only while a module initialises.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace holdfast {

using EnvironmentVariables = std::map<std::string, std::string>;

/// Sets variables while it lives; the former ones are put back when the last scope ends. SoftHSM reads
/// SOFTHSM2_CONF in `C_Initialize`, and two members may need two values: the second waits until the first is
/// through. One whose variables stand already changes nothing and does not wait, so that a module that hangs
/// in `C_Initialize` keeps out only those that need another environment. The C library cannot make this safe
/// against a `getenv` on another thread at the same instant; hence the window is `C_Initialize` alone, and
/// nothing is set while another scope stands.
class EnvironmentScope {
 public:
  explicit EnvironmentScope(const EnvironmentVariables& variables);
  EnvironmentScope(const EnvironmentScope&) = delete;
  EnvironmentScope& operator=(const EnvironmentScope&) = delete;
  ~EnvironmentScope();

 private:
  bool holds_;
};

}  // namespace holdfast
