/// \file What the module is told to do wrong.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#define CRYPTOKI_COMPAT 1
#include "pkcs11.h"

/// Reads the control file anew at each call, so a test changes its mind by writing the file. One rule a line:
///
///     C_Encrypt rv 0x30      answers CKR_DEVICE_ERROR (see fault_hsm.cc for what is forwarded all the same)
///     C_Encrypt delay 200    forwards after 200 ms
///     C_Encrypt hang         hangs while the file says so (remove the file or the line), then forwards
///     C_GetTokenInfo flags 0x20000   forwards, then adds these flags (CKF_USER_PIN_FINAL_TRY) to the token's
///     * delay 5              any function that has no line of its own
///
/// No file: everything is forwarded.
class FaultControl {
 public:
  /// Takes the paths from HOLDFAST_FAULT_CONTROL and HOLDFAST_FAULT_LOG. At C_Initialize, because that is
  /// when they stand in the environment.
  void readEnvironment();

  /// Logs the call (one line with the function's name), then obeys. A value means: answer this.
  std::optional<CK_RV> before(const char* functionName);

  /// What the rule `C_GetTokenInfo flags` adds; 0 where there is none.
  CK_FLAGS addedTokenFlags() const;

 private:
  struct Rule {
    std::string action;
    unsigned long value = 0;
  };

  std::optional<Rule> ruleFor(const std::string& functionName) const;
  std::string controlPath() const;
  void log(const char* functionName) const;

  mutable std::mutex mutex_;
  std::string controlPath_;
  std::string logPath_;
};
