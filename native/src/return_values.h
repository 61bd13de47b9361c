/// \file THE table of CK_RVs (PKCS#11 v2.40 §5.1 and §5.1.6). Nothing else in the product interprets a CK_RV:
/// all other code asks a row. `test/tidy/return-values.test.ts` checks that.
#pragma once

#include <span>

#include "cryptoki.h"

namespace holdfast {

/// C_Login's verdict on the PIN (§5.6): `NativeLoginOutcome` of src/hsm/native-return-value.ts.
enum class LoginOutcome {
  /// The token judged the PIN, or may have. The default for every value, because a wrong PIN is tried once
  /// (invariant 7).
  kRefused,
  /// The token judged the PIN: it has another one.
  kWrong,
  /// No token, session or library was there to judge it, or another login was in the way.
  kNotJudged,
  /// The device failed before or after it judged the PIN: only the token's flags say which.
  kUnknown,
  /// The PIN was right, and has expired.
  kExpired,
  /// The PIN is locked: the token judges none.
  kLocked,
  /// The token has no user PIN yet.
  kNoPin,
};

/// One return value and its consequences.
struct ReturnValue {
  const char* name = "";
  CK_RV value = CKR_OK;
  /// The `ErrorCode` that the caller gets, unless the operation knows better.
  const char* code = "";
  /// Its meaning as an answer of C_Login.
  LoginOutcome login = LoginOutcome::kRefused;
  /// Trying again, on another member, may succeed.
  bool transient = false;
  /// The session is no longer usable: the lane opens another before its next operation.
  bool poisonsSession = false;
  /// The member is unusable until it is opened again.
  bool poisonsMember = false;
  /// Counts against the member's breaker: it says something about the HSM, not about the request.
  bool countsAgainstBreaker = false;
  /// The token has dropped the session.
  bool sessionLost = false;
  /// A cached object handle no longer names an object.
  bool objectLost = false;
  /// No user is logged in. Only C_GetSessionInfo proves it: some tokens also answer this for a key that they
  /// refuse.
  bool loginLost = false;
  /// The token can open no further session.
  bool sessionsExhausted = false;
  /// There is no token in the slot, or none that the module can read.
  bool tokenAbsent = false;
  /// C_Initialize was not called, or is no longer in effect.
  bool notInitialized = false;
  bool alreadyInitialized = false;
  /// Says nothing about the PIN: the module answers this for any PIN.
  bool alreadyLoggedIn = false;
  /// An earlier operation is still open in the session.
  bool operationActive = false;
  bool bufferTooSmall = false;
  /// The token has no such attribute.
  bool attributeUnknown = false;
  /// The attribute may not be revealed.
  bool attributeHidden = false;
  /// SoftHSM's answer for an object of a process that was killed inside C_GenerateKey.
  bool couldBeHalfMade = false;
  /// More may have been asked for than the token gives at a time. The standard has no code for that.
  bool couldBeTooLong = false;

  /// A rule forbids what was asked: attributes, a template, a wrapping key's trust, a missing login. For
  /// checks of trust: any other refusal may have another reason.
  bool forbids = false;

  /// The token or the module is gone: no session or login outlives it, and probes of this opening can never
  /// succeed.
  [[nodiscard]] constexpr bool tokenLost() const { return poisonsMember && poisonsSession; }
  /// C_GetAttributeValue has filled in what it could (§5.7).
  [[nodiscard]] constexpr bool attributesPartial() const {
    return attributeUnknown || attributeHidden || bufferTooSmall;
  }
};

/// Every `CKR_` name of the header, in the header's order, then those of PKCS#11 v3.
[[nodiscard]] std::span<const ReturnValue> returnValues();

/// The row of a value; for one that no row has (vendor-defined), the row of CKR_VENDOR_DEFINED.
[[nodiscard]] const ReturnValue& returnValue(CK_RV value);

/// A name for messages: the name of the row, CKR_VENDOR_DEFINED for vendors' own codes, or a text saying that
/// it is unknown.
[[nodiscard]] const char* nameOf(CK_RV value);

/// The name that TypeScript sees.
[[nodiscard]] const char* nameOf(LoginOutcome outcome);

}  // namespace holdfast
