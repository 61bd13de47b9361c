/// \file SHA-256 (FIPS 180-4), for fingerprints that people compare. Not for secrets: it leaves its input in
/// memory.
#pragma once

#include <array>
#include <cstdint>

#include "bytes.h"

namespace holdfast {

using Sha256 = std::array<uint8_t, 32>;

/// The digest of the whole message.
[[nodiscard]] Sha256 sha256(ByteView message);

}  // namespace holdfast
