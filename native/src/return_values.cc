#include "return_values.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace holdfast {
namespace {

// Columns of flags read better as words than as true and false.
constexpr bool yes = true;
constexpr bool no = false;

// The codes of src/errors.ts.
constexpr const char* kCiphertext = "INVALID_CIPHERTEXT";
constexpr const char* kInternal = "KMS_INTERNAL";
constexpr const char* kState = "KMS_INVALID_STATE";
constexpr const char* kLimit = "LIMIT_EXCEEDED";
constexpr const char* kUnsupported = "UNSUPPORTED_OPERATION";

// clang-format off
constexpr ReturnValue kTable[] = {
    // name, value, code, transient, poisonsSession, poisonsMember, countsAgainstBreaker
    {"CKR_OK", CKR_OK, kInternal, no, no, no, no},
    {"CKR_CANCEL", CKR_CANCEL, kInternal, yes, no, no, yes},
    {"CKR_HOST_MEMORY", CKR_HOST_MEMORY, kInternal, yes, no, no, yes},
    {"CKR_SLOT_ID_INVALID", CKR_SLOT_ID_INVALID, kState, yes, yes, yes, yes},
    {"CKR_GENERAL_ERROR", CKR_GENERAL_ERROR, kInternal, yes, yes, no, yes},
    {"CKR_FUNCTION_FAILED", CKR_FUNCTION_FAILED, kInternal, yes, no, no, yes},
    {"CKR_ARGUMENTS_BAD", CKR_ARGUMENTS_BAD, kInternal, no, no, no, no},
    {"CKR_NO_EVENT", CKR_NO_EVENT, kInternal, no, no, no, no},
    {"CKR_NEED_TO_CREATE_THREADS", CKR_NEED_TO_CREATE_THREADS, kInternal, yes, no, no, yes},
    {"CKR_CANT_LOCK", CKR_CANT_LOCK, kInternal, yes, no, no, yes},
    {"CKR_ATTRIBUTE_READ_ONLY", CKR_ATTRIBUTE_READ_ONLY, kInternal, no, no, no, no},
    {"CKR_ATTRIBUTE_SENSITIVE", CKR_ATTRIBUTE_SENSITIVE, kInternal, no, no, no, no},
    {"CKR_ATTRIBUTE_TYPE_INVALID", CKR_ATTRIBUTE_TYPE_INVALID, kInternal, no, no, no, no},
    {"CKR_ATTRIBUTE_VALUE_INVALID", CKR_ATTRIBUTE_VALUE_INVALID, kInternal, no, no, no, no},
    {"CKR_ACTION_PROHIBITED", CKR_ACTION_PROHIBITED, kInternal, no, no, no, yes},
    {"CKR_DATA_INVALID", CKR_DATA_INVALID, kInternal, no, no, no, no},
    {"CKR_DATA_LEN_RANGE", CKR_DATA_LEN_RANGE, kInternal, no, no, no, no},
    {"CKR_DEVICE_ERROR", CKR_DEVICE_ERROR, kState, yes, yes, yes, yes},
    {"CKR_DEVICE_MEMORY", CKR_DEVICE_MEMORY, kLimit, yes, no, no, yes},
    {"CKR_DEVICE_REMOVED", CKR_DEVICE_REMOVED, kState, yes, yes, yes, yes},
    {"CKR_ENCRYPTED_DATA_INVALID", CKR_ENCRYPTED_DATA_INVALID, kCiphertext, no, no, no, no},
    {"CKR_ENCRYPTED_DATA_LEN_RANGE", CKR_ENCRYPTED_DATA_LEN_RANGE, kCiphertext, no, no, no, no},
    {"CKR_AEAD_DECRYPT_FAILED", kAeadDecryptFailed, kCiphertext, no, no, no, no},
    {"CKR_FUNCTION_CANCELED", CKR_FUNCTION_CANCELED, kInternal, yes, no, no, yes},
    {"CKR_FUNCTION_NOT_PARALLEL", CKR_FUNCTION_NOT_PARALLEL, kUnsupported, no, no, no, no},
    {"CKR_FUNCTION_NOT_SUPPORTED", CKR_FUNCTION_NOT_SUPPORTED, kUnsupported, no, no, no, yes},
    {"CKR_KEY_HANDLE_INVALID", CKR_KEY_HANDLE_INVALID, kInternal, yes, no, no, yes},
    {"CKR_KEY_SIZE_RANGE", CKR_KEY_SIZE_RANGE, kInternal, no, no, no, no},
    {"CKR_KEY_TYPE_INCONSISTENT", CKR_KEY_TYPE_INCONSISTENT, kInternal, no, no, no, yes},
    {"CKR_KEY_NOT_NEEDED", CKR_KEY_NOT_NEEDED, kInternal, no, no, no, no},
    {"CKR_KEY_CHANGED", CKR_KEY_CHANGED, kInternal, yes, no, no, yes},
    {"CKR_KEY_NEEDED", CKR_KEY_NEEDED, kInternal, no, no, no, no},
    {"CKR_KEY_INDIGESTIBLE", CKR_KEY_INDIGESTIBLE, kInternal, no, no, no, no},
    {"CKR_KEY_FUNCTION_NOT_PERMITTED", CKR_KEY_FUNCTION_NOT_PERMITTED, kInternal, no, no, no, yes},
    {"CKR_KEY_NOT_WRAPPABLE", CKR_KEY_NOT_WRAPPABLE, kInternal, no, no, no, no},
    {"CKR_KEY_UNEXTRACTABLE", CKR_KEY_UNEXTRACTABLE, kInternal, no, no, no, no},
    {"CKR_MECHANISM_INVALID", CKR_MECHANISM_INVALID, kUnsupported, no, no, no, yes},
    {"CKR_MECHANISM_PARAM_INVALID", CKR_MECHANISM_PARAM_INVALID, kUnsupported, no, no, no, no},
    {"CKR_OBJECT_HANDLE_INVALID", CKR_OBJECT_HANDLE_INVALID, kInternal, yes, no, no, yes},
    {"CKR_OPERATION_ACTIVE", CKR_OPERATION_ACTIVE, kInternal, yes, yes, no, no},
    {"CKR_OPERATION_NOT_INITIALIZED", CKR_OPERATION_NOT_INITIALIZED, kInternal, yes, yes, no, no},
    {"CKR_PIN_INCORRECT", CKR_PIN_INCORRECT, kState, no, no, no, no},
    {"CKR_PIN_INVALID", CKR_PIN_INVALID, kState, no, no, no, no},
    {"CKR_PIN_LEN_RANGE", CKR_PIN_LEN_RANGE, kState, no, no, no, no},
    {"CKR_PIN_EXPIRED", CKR_PIN_EXPIRED, kState, yes, no, yes, yes},
    {"CKR_PIN_LOCKED", CKR_PIN_LOCKED, kState, no, no, no, no},
    {"CKR_SESSION_CLOSED", CKR_SESSION_CLOSED, kInternal, yes, yes, no, yes},
    {"CKR_SESSION_COUNT", CKR_SESSION_COUNT, kLimit, yes, no, no, yes},
    {"CKR_SESSION_HANDLE_INVALID", CKR_SESSION_HANDLE_INVALID, kInternal, yes, yes, no, yes},
    {"CKR_SESSION_PARALLEL_NOT_SUPPORTED", CKR_SESSION_PARALLEL_NOT_SUPPORTED, kUnsupported, no, no, no, no},
    {"CKR_SESSION_READ_ONLY", CKR_SESSION_READ_ONLY, kInternal, yes, yes, no, no},
    {"CKR_SESSION_EXISTS", CKR_SESSION_EXISTS, kInternal, no, no, no, no},
    {"CKR_SESSION_READ_ONLY_EXISTS", CKR_SESSION_READ_ONLY_EXISTS, kInternal, no, no, no, no},
    {"CKR_SESSION_READ_WRITE_SO_EXISTS", CKR_SESSION_READ_WRITE_SO_EXISTS, kInternal, no, no, no, no},
    {"CKR_SIGNATURE_INVALID", CKR_SIGNATURE_INVALID, kInternal, no, no, no, no},
    {"CKR_SIGNATURE_LEN_RANGE", CKR_SIGNATURE_LEN_RANGE, kInternal, no, no, no, no},
    {"CKR_TEMPLATE_INCOMPLETE", CKR_TEMPLATE_INCOMPLETE, kInternal, no, no, no, no},
    {"CKR_TEMPLATE_INCONSISTENT", CKR_TEMPLATE_INCONSISTENT, kInternal, no, no, no, no},
    {"CKR_TOKEN_NOT_PRESENT", CKR_TOKEN_NOT_PRESENT, kState, yes, yes, yes, yes},
    {"CKR_TOKEN_NOT_RECOGNIZED", CKR_TOKEN_NOT_RECOGNIZED, kState, yes, yes, yes, yes},
    {"CKR_TOKEN_WRITE_PROTECTED", CKR_TOKEN_WRITE_PROTECTED, kState, yes, no, yes, yes},
    {"CKR_UNWRAPPING_KEY_HANDLE_INVALID", CKR_UNWRAPPING_KEY_HANDLE_INVALID, kInternal, no, no, no, no},
    {"CKR_UNWRAPPING_KEY_SIZE_RANGE", CKR_UNWRAPPING_KEY_SIZE_RANGE, kInternal, no, no, no, no},
    {"CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT", CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT, kInternal, no, no, no, no},
    {"CKR_USER_ALREADY_LOGGED_IN", CKR_USER_ALREADY_LOGGED_IN, kInternal, no, no, no, no},
    {"CKR_USER_NOT_LOGGED_IN", CKR_USER_NOT_LOGGED_IN, kState, yes, no, yes, yes},
    {"CKR_USER_PIN_NOT_INITIALIZED", CKR_USER_PIN_NOT_INITIALIZED, kState, no, no, no, no},
    {"CKR_USER_TYPE_INVALID", CKR_USER_TYPE_INVALID, kState, no, no, no, no},
    {"CKR_USER_ANOTHER_ALREADY_LOGGED_IN", CKR_USER_ANOTHER_ALREADY_LOGGED_IN, kState, no, no, no, no},
    {"CKR_USER_TOO_MANY_TYPES", CKR_USER_TOO_MANY_TYPES, kState, no, no, no, no},
    {"CKR_WRAPPED_KEY_INVALID", CKR_WRAPPED_KEY_INVALID, kInternal, no, no, no, no},
    {"CKR_WRAPPED_KEY_LEN_RANGE", CKR_WRAPPED_KEY_LEN_RANGE, kInternal, no, no, no, no},
    {"CKR_WRAPPING_KEY_HANDLE_INVALID", CKR_WRAPPING_KEY_HANDLE_INVALID, kInternal, no, no, no, no},
    {"CKR_WRAPPING_KEY_SIZE_RANGE", CKR_WRAPPING_KEY_SIZE_RANGE, kInternal, no, no, no, no},
    {"CKR_WRAPPING_KEY_TYPE_INCONSISTENT", CKR_WRAPPING_KEY_TYPE_INCONSISTENT, kInternal, no, no, no, no},
    {"CKR_RANDOM_SEED_NOT_SUPPORTED", CKR_RANDOM_SEED_NOT_SUPPORTED, kUnsupported, no, no, no, no},
    {"CKR_RANDOM_NO_RNG", CKR_RANDOM_NO_RNG, kInternal, yes, no, no, yes},
    {"CKR_DOMAIN_PARAMS_INVALID", CKR_DOMAIN_PARAMS_INVALID, kInternal, no, no, no, no},
    {"CKR_CURVE_NOT_SUPPORTED", CKR_CURVE_NOT_SUPPORTED, kUnsupported, no, no, no, no},
    {"CKR_BUFFER_TOO_SMALL", CKR_BUFFER_TOO_SMALL, kInternal, yes, yes, no, no},
    {"CKR_SAVED_STATE_INVALID", CKR_SAVED_STATE_INVALID, kInternal, no, no, no, no},
    {"CKR_INFORMATION_SENSITIVE", CKR_INFORMATION_SENSITIVE, kInternal, no, no, no, no},
    {"CKR_STATE_UNSAVEABLE", CKR_STATE_UNSAVEABLE, kInternal, no, no, no, no},
    {"CKR_CRYPTOKI_NOT_INITIALIZED", CKR_CRYPTOKI_NOT_INITIALIZED, kState, yes, yes, yes, yes},
    {"CKR_CRYPTOKI_ALREADY_INITIALIZED", CKR_CRYPTOKI_ALREADY_INITIALIZED, kInternal, no, no, no, no},
    {"CKR_MUTEX_BAD", CKR_MUTEX_BAD, kInternal, yes, no, no, yes},
    {"CKR_MUTEX_NOT_LOCKED", CKR_MUTEX_NOT_LOCKED, kInternal, yes, no, no, yes},
    {"CKR_NEW_PIN_MODE", CKR_NEW_PIN_MODE, kState, no, no, no, no},
    {"CKR_NEXT_OTP", CKR_NEXT_OTP, kState, no, no, no, no},
    {"CKR_EXCEEDED_MAX_ITERATIONS", kExceededMaxIterations, kInternal, no, no, no, no},
    {"CKR_FIPS_SELF_TEST_FAILED", kFipsSelfTestFailed, kState, yes, yes, yes, yes},
    {"CKR_LIBRARY_LOAD_FAILED", kLibraryLoadFailed, kState, yes, yes, yes, yes},
    {"CKR_PIN_TOO_WEAK", kPinTooWeak, kState, no, no, no, no},
    {"CKR_PUBLIC_KEY_INVALID", kPublicKeyInvalid, kInternal, no, no, no, no},
    {"CKR_FUNCTION_REJECTED", CKR_FUNCTION_REJECTED, kInternal, yes, no, no, yes},
    {"CKR_TOKEN_RESOURCE_EXCEEDED", kTokenResourceExceeded, kLimit, yes, no, no, yes},
    {"CKR_OPERATION_CANCEL_FAILED", kOperationCancelFailed, kInternal, yes, yes, no, no},
    {"CKR_KEY_EXHAUSTED", kKeyExhausted, kInternal, no, no, no, yes},
    {"CKR_PENDING", kPending, kInternal, yes, yes, no, yes},
    {"CKR_SESSION_ASYNC_NOT_SUPPORTED", kSessionAsyncNotSupported, kUnsupported, no, no, no, no},
    {"CKR_SEED_RANDOM_REQUIRED", kSeedRandomRequired, kInternal, yes, no, no, yes},
    {"CKR_OPERATION_NOT_VALIDATED", kOperationNotValidated, kInternal, no, no, no, yes},
    {"CKR_TOKEN_NOT_INITIALIZED", kTokenNotInitialized, kState, yes, yes, yes, yes},
    {"CKR_PARAMETER_SET_NOT_SUPPORTED", kParameterSetNotSupported, kUnsupported, no, no, no, no},
    {"CKR_VENDOR_DEFINED", CKR_VENDOR_DEFINED, kInternal, yes, yes, no, yes},
};
// clang-format on

// Sorted by value once, at compile time, so that a look-up is a binary search.
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

bool maySpeakOfLength(CK_RV value) {
  constexpr CK_RV codes[] = {CKR_ARGUMENTS_BAD, CKR_DATA_LEN_RANGE, CKR_DATA_INVALID,  CKR_BUFFER_TOO_SMALL,
                             CKR_HOST_MEMORY,   CKR_DEVICE_MEMORY,  CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED};
  return std::ranges::find(codes, value) != std::end(codes) || value >= CKR_VENDOR_DEFINED;
}

bool speaksOfHandle(CK_RV value) {
  return value == CKR_OBJECT_HANDLE_INVALID || value == CKR_KEY_HANDLE_INVALID;
}

}  // namespace holdfast
