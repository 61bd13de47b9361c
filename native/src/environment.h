/// \file Environment variables that stand only while a module initialises.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace holdfast {

using EnvironmentVariables = std::map<std::string, std::string>;

/// Sets variables while it lives and puts the former ones back, under one mutex of the process: SoftHSM reads
/// SOFTHSM2_CONF in `C_Initialize`, and two members need two values. The C library cannot make this safe
/// against a `getenv` on another thread at the same instant; hence the window is `C_Initialize` alone, and
/// variables that already have the value are not touched.
class EnvironmentScope {
 public:
  explicit EnvironmentScope(const EnvironmentVariables& variables);
  EnvironmentScope(const EnvironmentScope&) = delete;
  EnvironmentScope& operator=(const EnvironmentScope&) = delete;
  ~EnvironmentScope();

 private:
  struct Former {
    std::string name;
    std::optional<std::string> value;
  };

  std::unique_lock<std::mutex> lock_;
  std::vector<Former> former_;
};

}  // namespace holdfast
