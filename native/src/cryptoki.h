/// \file The PKCS#11 v2.40 header with its CK_ names.
#pragma once

#define CRYPTOKI_COMPAT 1
#include "pkcs11.h"

namespace holdfast {

/// AES-GCM as the envelope uses it (PKCS#11 v2.40 mechanisms §2.12): 96-bit nonce, 128-bit tag.
inline constexpr size_t kNonceLength = 12;
inline constexpr size_t kTagLength = 16;

}  // namespace holdfast
