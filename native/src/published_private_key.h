/// \file An RSA private key that everybody knows, for the check value of a key that wraps private keys.
#pragma once

#include "object_template.h"

namespace holdfast {

/// Class, type and value, for C_CreateObject. All makes wrap it as the same bytes: RSA has one encoding
/// (PKCS #8, RFC 5208), where NSS adds the public half of an EC key; and this one's has 1,216 bytes, a
/// multiple of 8, behind which SoftHSM adds no zeros.
[[nodiscard]] ObjectTemplate publishedPrivateKey();

}  // namespace holdfast
