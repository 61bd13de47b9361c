#include "return_values.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <iterator>

namespace holdfast {
namespace {

// The codes of src/errors.ts.
constexpr const char* kCiphertext = "INVALID_CIPHERTEXT";
constexpr const char* kInternal = "KMS_INTERNAL";
constexpr const char* kState = "KMS_INVALID_STATE";
constexpr const char* kLimit = "LIMIT_EXCEEDED";
constexpr const char* kUnsupported = "UNSUPPORTED_OPERATION";

using Meaning = bool ReturnValue::*;

constexpr Meaning transient = &ReturnValue::transient;
constexpr Meaning poisonsSession = &ReturnValue::poisonsSession;
constexpr Meaning poisonsMember = &ReturnValue::poisonsMember;
constexpr Meaning countsAgainstBreaker = &ReturnValue::countsAgainstBreaker;
constexpr Meaning sessionLost = &ReturnValue::sessionLost;
constexpr Meaning objectLost = &ReturnValue::objectLost;
constexpr Meaning loginLost = &ReturnValue::loginLost;
constexpr Meaning sessionsExhausted = &ReturnValue::sessionsExhausted;
constexpr Meaning tokenAbsent = &ReturnValue::tokenAbsent;
constexpr Meaning notInitialized = &ReturnValue::notInitialized;
constexpr Meaning alreadyInitialized = &ReturnValue::alreadyInitialized;
constexpr Meaning alreadyLoggedIn = &ReturnValue::alreadyLoggedIn;
constexpr Meaning operationActive = &ReturnValue::operationActive;
constexpr Meaning bufferTooSmall = &ReturnValue::bufferTooSmall;
constexpr Meaning attributeUnknown = &ReturnValue::attributeUnknown;
constexpr Meaning attributeHidden = &ReturnValue::attributeHidden;
constexpr Meaning couldBeHalfMade = &ReturnValue::couldBeHalfMade;
constexpr Meaning couldBeTooLong = &ReturnValue::couldBeTooLong;
constexpr Meaning forbids = &ReturnValue::forbids;

/// A row names the properties that hold; all others do not.
constexpr ReturnValue row(const char* name, CK_RV value, const char* code,
                          std::initializer_list<Meaning> meanings,
                          LoginOutcome login = LoginOutcome::kRefused) {
  ReturnValue made{.name = name, .value = value, .code = code, .login = login};
  for (const Meaning meaning : meanings) made.*meaning = true;
  return made;
}

// clang-format off
constexpr ReturnValue kTable[] = {
    row("CKR_OK", CKR_OK, kInternal, {}),
    row("CKR_CANCEL", CKR_CANCEL, kInternal, {transient, countsAgainstBreaker}),
    row("CKR_HOST_MEMORY", CKR_HOST_MEMORY, kInternal, {transient, countsAgainstBreaker, couldBeTooLong}),
    row("CKR_SLOT_ID_INVALID", CKR_SLOT_ID_INVALID, kState, {transient, poisonsSession, poisonsMember, countsAgainstBreaker}, LoginOutcome::kNotJudged),
    row("CKR_GENERAL_ERROR", CKR_GENERAL_ERROR, kInternal, {transient, poisonsSession, countsAgainstBreaker, couldBeHalfMade, couldBeTooLong}),
    row("CKR_FUNCTION_FAILED", CKR_FUNCTION_FAILED, kInternal, {transient, countsAgainstBreaker, couldBeTooLong}),
    row("CKR_ARGUMENTS_BAD", CKR_ARGUMENTS_BAD, kInternal, {couldBeTooLong}),
    row("CKR_NO_EVENT", CKR_NO_EVENT, kInternal, {}),
    row("CKR_NEED_TO_CREATE_THREADS", CKR_NEED_TO_CREATE_THREADS, kInternal, {transient, countsAgainstBreaker}),
    row("CKR_CANT_LOCK", CKR_CANT_LOCK, kInternal, {transient, countsAgainstBreaker}),
    row("CKR_ATTRIBUTE_READ_ONLY", CKR_ATTRIBUTE_READ_ONLY, kInternal, {forbids}),
    row("CKR_ATTRIBUTE_SENSITIVE", CKR_ATTRIBUTE_SENSITIVE, kInternal, {attributeHidden, forbids}),
    row("CKR_ATTRIBUTE_TYPE_INVALID", CKR_ATTRIBUTE_TYPE_INVALID, kInternal, {attributeUnknown, forbids}),
    row("CKR_ATTRIBUTE_VALUE_INVALID", CKR_ATTRIBUTE_VALUE_INVALID, kInternal, {couldBeHalfMade, forbids}),
    row("CKR_ACTION_PROHIBITED", CKR_ACTION_PROHIBITED, kInternal, {countsAgainstBreaker, forbids}),
    row("CKR_DATA_INVALID", CKR_DATA_INVALID, kInternal, {couldBeTooLong}),
    row("CKR_DATA_LEN_RANGE", CKR_DATA_LEN_RANGE, kInternal, {couldBeTooLong}),
    row("CKR_DEVICE_ERROR", CKR_DEVICE_ERROR, kState, {transient, poisonsSession, poisonsMember, countsAgainstBreaker}, LoginOutcome::kUnknown),
    row("CKR_DEVICE_MEMORY", CKR_DEVICE_MEMORY, kLimit, {transient, countsAgainstBreaker, couldBeTooLong}),
    row("CKR_DEVICE_REMOVED", CKR_DEVICE_REMOVED, kState, {transient, poisonsSession, poisonsMember, countsAgainstBreaker}, LoginOutcome::kNotJudged),
    row("CKR_ENCRYPTED_DATA_INVALID", CKR_ENCRYPTED_DATA_INVALID, kCiphertext, {}),
    row("CKR_ENCRYPTED_DATA_LEN_RANGE", CKR_ENCRYPTED_DATA_LEN_RANGE, kCiphertext, {}),
    row("CKR_AEAD_DECRYPT_FAILED", 0x42, kCiphertext, {}),
    row("CKR_FUNCTION_CANCELED", CKR_FUNCTION_CANCELED, kInternal, {transient, countsAgainstBreaker}),
    row("CKR_FUNCTION_NOT_PARALLEL", CKR_FUNCTION_NOT_PARALLEL, kUnsupported, {}),
    row("CKR_FUNCTION_NOT_SUPPORTED", CKR_FUNCTION_NOT_SUPPORTED, kUnsupported, {countsAgainstBreaker, forbids}),
    row("CKR_KEY_HANDLE_INVALID", CKR_KEY_HANDLE_INVALID, kInternal, {transient, countsAgainstBreaker, objectLost}),
    row("CKR_KEY_SIZE_RANGE", CKR_KEY_SIZE_RANGE, kInternal, {}),
    row("CKR_KEY_TYPE_INCONSISTENT", CKR_KEY_TYPE_INCONSISTENT, kInternal, {countsAgainstBreaker, forbids}),
    row("CKR_KEY_NOT_NEEDED", CKR_KEY_NOT_NEEDED, kInternal, {}),
    row("CKR_KEY_CHANGED", CKR_KEY_CHANGED, kInternal, {transient, countsAgainstBreaker}),
    row("CKR_KEY_NEEDED", CKR_KEY_NEEDED, kInternal, {}),
    row("CKR_KEY_INDIGESTIBLE", CKR_KEY_INDIGESTIBLE, kInternal, {}),
    row("CKR_KEY_FUNCTION_NOT_PERMITTED", CKR_KEY_FUNCTION_NOT_PERMITTED, kInternal, {countsAgainstBreaker, forbids}),
    row("CKR_KEY_NOT_WRAPPABLE", CKR_KEY_NOT_WRAPPABLE, kInternal, {forbids}),
    row("CKR_KEY_UNEXTRACTABLE", CKR_KEY_UNEXTRACTABLE, kInternal, {forbids}),
    row("CKR_MECHANISM_INVALID", CKR_MECHANISM_INVALID, kUnsupported, {countsAgainstBreaker, forbids}),
    row("CKR_MECHANISM_PARAM_INVALID", CKR_MECHANISM_PARAM_INVALID, kUnsupported, {}),
    row("CKR_OBJECT_HANDLE_INVALID", CKR_OBJECT_HANDLE_INVALID, kInternal, {transient, countsAgainstBreaker, objectLost}),
    row("CKR_OPERATION_ACTIVE", CKR_OPERATION_ACTIVE, kInternal, {transient, poisonsSession, operationActive}),
    row("CKR_OPERATION_NOT_INITIALIZED", CKR_OPERATION_NOT_INITIALIZED, kInternal, {transient, poisonsSession}),
    row("CKR_PIN_INCORRECT", CKR_PIN_INCORRECT, kState, {}, LoginOutcome::kWrong),
    row("CKR_PIN_INVALID", CKR_PIN_INVALID, kState, {}),
    row("CKR_PIN_LEN_RANGE", CKR_PIN_LEN_RANGE, kState, {}),
    row("CKR_PIN_EXPIRED", CKR_PIN_EXPIRED, kState, {transient, poisonsMember, countsAgainstBreaker}, LoginOutcome::kExpired),
    row("CKR_PIN_LOCKED", CKR_PIN_LOCKED, kState, {}, LoginOutcome::kLocked),
    row("CKR_SESSION_CLOSED", CKR_SESSION_CLOSED, kInternal, {transient, poisonsSession, countsAgainstBreaker, sessionLost}, LoginOutcome::kNotJudged),
    row("CKR_SESSION_COUNT", CKR_SESSION_COUNT, kLimit, {transient, countsAgainstBreaker, sessionsExhausted}),
    row("CKR_SESSION_HANDLE_INVALID", CKR_SESSION_HANDLE_INVALID, kInternal, {transient, poisonsSession, countsAgainstBreaker, sessionLost}, LoginOutcome::kNotJudged),
    row("CKR_SESSION_PARALLEL_NOT_SUPPORTED", CKR_SESSION_PARALLEL_NOT_SUPPORTED, kUnsupported, {}),
    row("CKR_SESSION_READ_ONLY", CKR_SESSION_READ_ONLY, kInternal, {transient, poisonsSession}),
    row("CKR_SESSION_EXISTS", CKR_SESSION_EXISTS, kInternal, {}),
    row("CKR_SESSION_READ_ONLY_EXISTS", CKR_SESSION_READ_ONLY_EXISTS, kInternal, {}),
    row("CKR_SESSION_READ_WRITE_SO_EXISTS", CKR_SESSION_READ_WRITE_SO_EXISTS, kInternal, {}),
    row("CKR_SIGNATURE_INVALID", CKR_SIGNATURE_INVALID, kInternal, {}),
    row("CKR_SIGNATURE_LEN_RANGE", CKR_SIGNATURE_LEN_RANGE, kInternal, {}),
    row("CKR_TEMPLATE_INCOMPLETE", CKR_TEMPLATE_INCOMPLETE, kInternal, {}),
    row("CKR_TEMPLATE_INCONSISTENT", CKR_TEMPLATE_INCONSISTENT, kInternal, {forbids}),
    row("CKR_TOKEN_NOT_PRESENT", CKR_TOKEN_NOT_PRESENT, kState, {transient, poisonsSession, poisonsMember, countsAgainstBreaker, tokenAbsent}, LoginOutcome::kNotJudged),
    row("CKR_TOKEN_NOT_RECOGNIZED", CKR_TOKEN_NOT_RECOGNIZED, kState, {transient, poisonsSession, poisonsMember, countsAgainstBreaker, tokenAbsent}, LoginOutcome::kNotJudged),
    row("CKR_TOKEN_WRITE_PROTECTED", CKR_TOKEN_WRITE_PROTECTED, kState, {transient, poisonsMember, countsAgainstBreaker}),
    row("CKR_UNWRAPPING_KEY_HANDLE_INVALID", CKR_UNWRAPPING_KEY_HANDLE_INVALID, kInternal, {forbids}),
    row("CKR_UNWRAPPING_KEY_SIZE_RANGE", CKR_UNWRAPPING_KEY_SIZE_RANGE, kInternal, {}),
    row("CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT", CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT, kInternal, {forbids}),
    row("CKR_USER_ALREADY_LOGGED_IN", CKR_USER_ALREADY_LOGGED_IN, kInternal, {alreadyLoggedIn}, LoginOutcome::kNotJudged),
    row("CKR_USER_NOT_LOGGED_IN", CKR_USER_NOT_LOGGED_IN, kState, {transient, poisonsMember, countsAgainstBreaker, loginLost, forbids}),
    row("CKR_USER_PIN_NOT_INITIALIZED", CKR_USER_PIN_NOT_INITIALIZED, kState, {}, LoginOutcome::kNoPin),
    row("CKR_USER_TYPE_INVALID", CKR_USER_TYPE_INVALID, kState, {}, LoginOutcome::kNoPin),
    row("CKR_USER_ANOTHER_ALREADY_LOGGED_IN", CKR_USER_ANOTHER_ALREADY_LOGGED_IN, kState, {}, LoginOutcome::kNotJudged),
    row("CKR_USER_TOO_MANY_TYPES", CKR_USER_TOO_MANY_TYPES, kState, {}, LoginOutcome::kNotJudged),
    row("CKR_WRAPPED_KEY_INVALID", CKR_WRAPPED_KEY_INVALID, kInternal, {}),
    row("CKR_WRAPPED_KEY_LEN_RANGE", CKR_WRAPPED_KEY_LEN_RANGE, kInternal, {}),
    row("CKR_WRAPPING_KEY_HANDLE_INVALID", CKR_WRAPPING_KEY_HANDLE_INVALID, kInternal, {forbids}),
    row("CKR_WRAPPING_KEY_SIZE_RANGE", CKR_WRAPPING_KEY_SIZE_RANGE, kInternal, {}),
    row("CKR_WRAPPING_KEY_TYPE_INCONSISTENT", CKR_WRAPPING_KEY_TYPE_INCONSISTENT, kInternal, {forbids}),
    row("CKR_RANDOM_SEED_NOT_SUPPORTED", CKR_RANDOM_SEED_NOT_SUPPORTED, kUnsupported, {}),
    row("CKR_RANDOM_NO_RNG", CKR_RANDOM_NO_RNG, kInternal, {transient, countsAgainstBreaker}),
    row("CKR_DOMAIN_PARAMS_INVALID", CKR_DOMAIN_PARAMS_INVALID, kInternal, {}),
    row("CKR_CURVE_NOT_SUPPORTED", CKR_CURVE_NOT_SUPPORTED, kUnsupported, {}),
    row("CKR_BUFFER_TOO_SMALL", CKR_BUFFER_TOO_SMALL, kInternal, {transient, poisonsSession, bufferTooSmall, couldBeTooLong}),
    row("CKR_SAVED_STATE_INVALID", CKR_SAVED_STATE_INVALID, kInternal, {}),
    row("CKR_INFORMATION_SENSITIVE", CKR_INFORMATION_SENSITIVE, kInternal, {}),
    row("CKR_STATE_UNSAVEABLE", CKR_STATE_UNSAVEABLE, kInternal, {}),
    row("CKR_CRYPTOKI_NOT_INITIALIZED", CKR_CRYPTOKI_NOT_INITIALIZED, kState, {transient, poisonsSession, poisonsMember, countsAgainstBreaker, notInitialized}, LoginOutcome::kNotJudged),
    row("CKR_CRYPTOKI_ALREADY_INITIALIZED", CKR_CRYPTOKI_ALREADY_INITIALIZED, kInternal, {alreadyInitialized}),
    row("CKR_MUTEX_BAD", CKR_MUTEX_BAD, kInternal, {transient, countsAgainstBreaker}),
    row("CKR_MUTEX_NOT_LOCKED", CKR_MUTEX_NOT_LOCKED, kInternal, {transient, countsAgainstBreaker}),
    row("CKR_NEW_PIN_MODE", CKR_NEW_PIN_MODE, kState, {}),
    row("CKR_NEXT_OTP", CKR_NEXT_OTP, kState, {}),
    row("CKR_EXCEEDED_MAX_ITERATIONS", 0x1b5, kInternal, {}),
    row("CKR_FIPS_SELF_TEST_FAILED", 0x1b6, kState, {transient, poisonsSession, poisonsMember, countsAgainstBreaker}),
    row("CKR_LIBRARY_LOAD_FAILED", 0x1b7, kState, {transient, poisonsSession, poisonsMember, countsAgainstBreaker}),
    row("CKR_PIN_TOO_WEAK", 0x1b8, kState, {}),
    row("CKR_PUBLIC_KEY_INVALID", 0x1b9, kInternal, {}),
    row("CKR_FUNCTION_REJECTED", CKR_FUNCTION_REJECTED, kInternal, {transient, countsAgainstBreaker}),
    row("CKR_TOKEN_RESOURCE_EXCEEDED", 0x201, kLimit, {transient, countsAgainstBreaker}),
    row("CKR_OPERATION_CANCEL_FAILED", 0x202, kInternal, {transient, poisonsSession}),
    row("CKR_KEY_EXHAUSTED", 0x203, kInternal, {countsAgainstBreaker}),
    row("CKR_PENDING", 0x204, kInternal, {transient, poisonsSession, countsAgainstBreaker}),
    row("CKR_SESSION_ASYNC_NOT_SUPPORTED", 0x205, kUnsupported, {}),
    row("CKR_SEED_RANDOM_REQUIRED", 0x206, kInternal, {transient, countsAgainstBreaker}),
    row("CKR_OPERATION_NOT_VALIDATED", 0x207, kInternal, {countsAgainstBreaker}),
    row("CKR_TOKEN_NOT_INITIALIZED", 0x208, kState, {transient, poisonsSession, poisonsMember, countsAgainstBreaker}),
    row("CKR_PARAMETER_SET_NOT_SUPPORTED", 0x209, kUnsupported, {}),
    row("CKR_VENDOR_DEFINED", CKR_VENDOR_DEFINED, kInternal, {transient, poisonsSession, countsAgainstBreaker, couldBeTooLong}),
};
// clang-format on

// Sorted by value at compile time: a look-up is a binary search.
constexpr auto kByValue = [] {
  std::array<ReturnValue, std::size(kTable)> sorted{};
  std::ranges::copy(kTable, sorted.begin());
  std::ranges::sort(sorted, {}, &ReturnValue::value);
  return sorted;
}();

}  // namespace

std::span<const ReturnValue> returnValues() { return kTable; }

const ReturnValue& returnValue(CK_RV value) {
  const auto find = [](CK_RV wanted) {
    return std::ranges::lower_bound(kByValue, wanted, {}, &ReturnValue::value);
  };
  const auto* row = find(value);
  return row != kByValue.end() && row->value == value ? *row : *find(CKR_VENDOR_DEFINED);
}

const char* nameOf(CK_RV value) {
  const auto& row = returnValue(value);
  return row.value == value || value >= CKR_VENDOR_DEFINED ? row.name : "unknown return value";
}

const char* nameOf(LoginOutcome outcome) {
  switch (outcome) {
    case LoginOutcome::kRefused:
      return "refused";
    case LoginOutcome::kWrong:
      return "wrong";
    case LoginOutcome::kNotJudged:
      return "not-judged";
    case LoginOutcome::kUnknown:
      return "unknown";
    case LoginOutcome::kExpired:
      return "expired";
    case LoginOutcome::kLocked:
      return "locked";
    case LoginOutcome::kNoPin:
      return "no-pin";
  }
  return "refused";
}

}  // namespace holdfast
