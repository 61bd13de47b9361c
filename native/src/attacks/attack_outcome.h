/// \file What came of an attack.
#pragma once

#include <string>

#include "cryptoki.h"

namespace holdfast {

/// `NativeAttackOutcome` of src/hsm/native-ceremony.ts.
struct AttackOutcome {
  /// The attack, and the cluster key that it was on, if any.
  std::string attack;
  /// Whether the token withstood it. False also for an attack that could not be tried.
  bool held = false;
  /// The token's refusal; CKR_OK if it refused nothing.
  CK_RV rv = CKR_OK;
  /// For people; never holds a secret.
  std::string detail;
};

}  // namespace holdfast
