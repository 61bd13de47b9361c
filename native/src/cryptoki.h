/// \file The PKCS#11 v2.40 header with its CK_ names, and the few v3.0 values that modules already answer.
#pragma once

#define CRYPTOKI_COMPAT 1
#include "pkcs11.h"

namespace holdfast {

/// PKCS#11 v3.0 §6.4: a wrong tag. Modules of v3 answer it through the v2.40 function list too.
inline constexpr CK_RV kAeadDecryptFailed = 0x42;

/// AES-GCM as the envelope uses it (PKCS#11 v2.40 mechanisms §2.12): 96-bit nonce, 128-bit tag.
inline constexpr size_t kNonceLength = 12;
inline constexpr size_t kTagLength = 16;

}  // namespace holdfast
