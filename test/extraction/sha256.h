/// \file SHA-256 (FIPS 180-4) and HMAC (RFC 2104) in plain software.
#pragma once

#include "cryptoki.h"

namespace extraction {

Bytes sha256(Bytes message);

/// \param key of up to 64 bytes
Bytes hmacSha256(const Bytes& key, const Bytes& message);

}  // namespace extraction
