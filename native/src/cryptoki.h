/// \file The PKCS#11 v2.40 header with its CK_ names, and the few v3.0 values that modules already answer.
#pragma once

#define CRYPTOKI_COMPAT 1
#include "pkcs11.h"

namespace holdfast {

/// PKCS#11 v3.0 §6.4: a wrong tag. Modules of v3 answer it through the v2.40 function list too.
inline constexpr CK_RV kAeadDecryptFailed = 0x42;
inline constexpr CK_RV kTokenResourceExceeded = 0x201;
inline constexpr CK_RV kOperationCancelFailed = 0x202;
inline constexpr CK_RV kKeyExhausted = 0x203;

/// PKCS#11 v3.2.
inline constexpr CK_RV kPending = 0x204;
inline constexpr CK_RV kSessionAsyncNotSupported = 0x205;
inline constexpr CK_RV kSeedRandomRequired = 0x206;
inline constexpr CK_RV kOperationNotValidated = 0x207;
inline constexpr CK_RV kTokenNotInitialized = 0x208;
inline constexpr CK_RV kParameterSetNotSupported = 0x209;

/// As the standard numbers them (v2.40 errata 01, and v3): our header has the numbers of a draft.
inline constexpr CK_RV kExceededMaxIterations = 0x1b5;
inline constexpr CK_RV kFipsSelfTestFailed = 0x1b6;
inline constexpr CK_RV kLibraryLoadFailed = 0x1b7;
inline constexpr CK_RV kPinTooWeak = 0x1b8;
inline constexpr CK_RV kPublicKeyInvalid = 0x1b9;

/// AES-GCM as the envelope uses it (PKCS#11 v2.40 mechanisms §2.12): 96-bit nonce, 128-bit tag.
inline constexpr size_t kNonceLength = 12;
inline constexpr size_t kTagLength = 16;

}  // namespace holdfast
