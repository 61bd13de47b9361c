/// \file Whether a number is the private key that made an ECDSA signature on P-256 (FIPS 186-5), in plain
/// software.
#pragma once

#include "cryptoki.h"

namespace extraction {

/// \param scalar up to 32 bytes, big-endian
/// \param digest of 32 bytes
/// \param signature r and s, 32 bytes each
bool madeSignature(const Bytes& scalar, const Bytes& digest, const Bytes& signature);

}  // namespace extraction
