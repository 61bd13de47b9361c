/// \file The PKCS#11 header, and what it lacks.
#pragma once

#include <vector>

#define CRYPTOKI_COMPAT 1
#include "pkcs11.h"

namespace extraction {

using Bytes = std::vector<CK_BYTE>;

/// PKCS#11 v3.0 §2.14: RFC 5649. (0x210A, CKM_AES_KEY_WRAP_PAD, is RFC 5649 in SoftHSM and something else in
/// NSS.)
constexpr CK_MECHANISM_TYPE kAesKeyWrapKwp = 0x210B;

}  // namespace extraction
