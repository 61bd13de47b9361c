/// \file Why an operation failed: what is thrown inside the core and what a promise is rejected with.
#pragma once

#include <cstdint>
#include <string>

#include "cryptoki.h"

namespace holdfast {

/// The kinds of `NativeFailureKind` in src/hsm/native.ts; that file says what each means.
enum class FailureKind {
  kRv,
  kBadOutput,
  kQueueDeadline,
  kOverdue,
  kCancelled,
  kLaneDeadline,
  kMaterialMissing,
  kMaterialAmbiguous,
  kMaterialMismatch,
  kCanaryFailed,
  kKeyRefused,
  kSelfTestFailed,
  kLookUpFailed,
  kHandleRevoked,
  kQueueFull,
  kNoMember,
  kClosed,
  kModule,
  kModuleInUse,
  kLock,
  kLockHeld,
  kTokenMissing,
  kTooLong,
  kWornOut,
};

/// The name that TypeScript sees.
const char* nameOf(FailureKind kind);

/// Thrown by operations and caught where a lane or a control thread settles its request.
struct Failure {
  FailureKind kind = FailureKind::kRv;
  CK_RV rv = CKR_OK;
  /// The PKCS#11 function that answered `rv`; a string literal, '' where none did.
  const char* functionName = "";
  /// For the log; never holds a secret.
  std::string detail;
  /// The canary decrypted on the same handle, so the ciphertext is at fault and not the HSM
  /// (invariant 5).
  bool callerFault = false;
  /// Key and HSM worked after it: it says nothing about the HSM, and may be the request's.
  bool hsmCleared = false;
  /// Of a lane that hangs: its operation uses keys, and does not make, destroy or list them.
  bool isOfUse = true;
  int member = -1;
  uint64_t epoch = 0;
};

/// A failure without a CK_RV.
Failure failure(FailureKind kind, std::string detail);

/// The function answered CKR_OK with an output that the standard or the mechanism rules out. `detail` names
/// the output and never contains it: it may be secret.
Failure badOutput(const char* functionName, std::string detail);

/// A failure that a PKCS#11 function answered.
Failure rvFailure(const char* functionName, CK_RV rv);

/// Throws the `rvFailure` unless the answer is CKR_OK.
void check(const char* functionName, CK_RV rv);

/// The call that failed may have encrypted all the same: another encryption has to be accounted for before it
/// is tried (invariant 9).
bool mayHaveEncrypted(const Failure& failure);

/// One line for the log: `C_Login: CKR_PIN_INCORRECT (0xa0)`, or kind and detail.
std::string messageOf(const Failure& failure);

}  // namespace holdfast
