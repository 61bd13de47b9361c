/// \file Why an operation failed: thrown inside the core, and the reason with which a promise is rejected.
#pragma once

#include <cstdint>
#include <exception>
#include <string>

#include "cryptoki.h"
#include "function.h"

namespace holdfast {

/// The kinds of `NativeFailureKind` in src/hsm/native.ts, which explains each.
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
  kStuck,
};

/// The name that TypeScript sees.
[[nodiscard]] const char* nameOf(FailureKind kind);

/// Thrown by operations. A lane or a control thread catches it and settles its request with it.
struct Failure : std::exception {
  FailureKind kind = FailureKind::kRv;
  CK_RV rv = CKR_OK;
  /// The PKCS#11 function that answered `rv`, or whose output is impossible.
  Function function = Function::kNone;
  /// A text for the log; never holds a secret.
  std::string detail;
  /// The canary decrypted through the same handle, so the ciphertext is at fault and not the HSM (invariant
  /// 5).
  bool callerFault = false;
  /// Key and HSM worked afterwards: the failure says nothing about the HSM, and the request may be at fault.
  bool hsmCleared = false;
  /// For a hung lane: whether its operation uses keys, and does not make, destroy or list them.
  bool isOfUse = true;
  int member = -1;
  uint64_t epoch = 0;

  /// The detail, or else the kind. `messageOf` says more; this must not allocate.
  [[nodiscard]] const char* what() const noexcept override;
};

/// A failure without a CK_RV.
[[nodiscard]] Failure failure(FailureKind kind, std::string detail);

/// The function answered CKR_OK with an output that the standard or the mechanism rules out. `detail` names
/// the output and never contains it, because it may be secret.
[[nodiscard]] Failure badOutput(Function function, std::string detail);

/// A failure that a PKCS#11 function answered.
[[nodiscard]] Failure rvFailure(Function function, CK_RV rv);

/// The failure, attributed to that member.
[[nodiscard]] Failure withMember(Failure failure, int member);

/// Throws the `rvFailure` unless the answer is CKR_OK.
void check(Function function, CK_RV rv);

/// The call may have encrypted although it failed: another encryption must be counted before it is tried
/// (invariant 9).
[[nodiscard]] bool mayHaveEncrypted(const Failure& failure);

/// One line for the log: `C_Login: CKR_PIN_INCORRECT (0xa0)`, or kind and detail.
[[nodiscard]] std::string messageOf(const Failure& failure);

}  // namespace holdfast
