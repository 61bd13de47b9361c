/// \file Runs every attack on every target, as the user and without a PIN.
#pragma once

#include <optional>
#include <string>

#include "arguments.h"
#include "attack.h"

namespace extraction {

/// How one attack ended.
struct Row {
  std::string attack;
  std::string about;
  /// "user" or "nobody".
  std::string who;
  std::string key;
  /// "refused", "invisible", "nothing", "not tried"; "misused" and "recovered" mean that the attack
  /// succeeded.
  std::string outcome;
  /// What refused, and its CK_RV.
  std::string function;
  std::optional<CK_RV> rv;
  bool succeeded = false;
};

struct Pins {
  std::string user;
  std::string officer;
};

/// Prepares the token if the arguments say so, then attacks.
/// \throws Refused, std::runtime_error if the token cannot be prepared, or a target cannot be found and used
std::vector<Row> attackToken(const Arguments& arguments, const Pins& pins);

}  // namespace extraction
