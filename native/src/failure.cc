#include "failure.h"

#include <cstdio>
#include <utility>

#include "call_time.h"
#include "return_values.h"

namespace holdfast {

const char* nameOf(FailureKind kind) {
  switch (kind) {
    case FailureKind::kRv:
      return "rv";
    case FailureKind::kBadOutput:
      return "bad-output";
    case FailureKind::kQueueDeadline:
      return "queue-deadline";
    case FailureKind::kCancelled:
      return "cancelled";
    case FailureKind::kOverdue:
      return "overdue";
    case FailureKind::kLaneDeadline:
      return "lane-deadline";
    case FailureKind::kMaterialMissing:
      return "material-missing";
    case FailureKind::kMaterialAmbiguous:
      return "material-ambiguous";
    case FailureKind::kMaterialMismatch:
      return "material-mismatch";
    case FailureKind::kCanaryFailed:
      return "canary-failed";
    case FailureKind::kKeyRefused:
      return "key-refused";
    case FailureKind::kSelfTestFailed:
      return "self-test-failed";
    case FailureKind::kLookUpFailed:
      return "look-up-failed";
    case FailureKind::kHandleRevoked:
      return "handle-revoked";
    case FailureKind::kQueueFull:
      return "queue-full";
    case FailureKind::kNoMember:
      return "no-member";
    case FailureKind::kClosed:
      return "closed";
    case FailureKind::kModule:
      return "module";
    case FailureKind::kModuleInUse:
      return "module-in-use";
    case FailureKind::kLock:
      return "lock";
    case FailureKind::kLockHeld:
      return "lock-held";
    case FailureKind::kTokenMissing:
      return "token-missing";
    case FailureKind::kTooLong:
      return "too-long";
    case FailureKind::kStuck:
      return "stuck";
  }
  return "rv";
}

const char* Failure::what() const noexcept { return detail.empty() ? nameOf(kind) : detail.c_str(); }

Failure failure(FailureKind kind, std::string detail) {
  Failure made;
  made.kind = kind;
  made.detail = std::move(detail);
  return made;
}

Failure badOutput(Function function, std::string detail) {
  Failure made = failure(FailureKind::kBadOutput, std::move(detail));
  made.function = function;
  return made;
}

Failure rvFailure(Function function, CK_RV rv) {
  Failure made;
  made.rv = rv;
  made.function = function;
  return made;
}

Failure withMember(Failure failure, int member) {
  failure.member = member;
  return failure;
}

void check(Function function, CK_RV rv) {
  CallTime::note();
  if (rv != CKR_OK) throw rvFailure(function, rv);
}

bool mayHaveEncrypted(const Failure& failure) {
  const bool byToken = failure.kind == FailureKind::kRv || failure.kind == FailureKind::kBadOutput;
  return byToken && traitsOf(failure.function).mayHaveEncrypted;
}

std::string messageOf(const Failure& failure) {
  std::string text = nameOf(failure.kind);
  if (failure.rv != CKR_OK) {
    char number[32];
    static_cast<void>(std::snprintf(number, sizeof number, " (0x%lx)", failure.rv));
    text = std::string(nameOf(failure.function)) + ": " + nameOf(failure.rv) + number;
  } else if (failure.function != Function::kNone) {
    text += std::string(": ") + nameOf(failure.function);
  }
  if (!failure.detail.empty()) text += ": " + failure.detail;
  return text;
}

}  // namespace holdfast
