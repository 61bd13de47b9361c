/// \file AES key wrap (RFC 3394) and key wrap with padding (RFC 5649) over any block cipher: a key in
/// software, or an oracle for single blocks that a token gives away.
#pragma once

#include <functional>

#include "software_aes.h"

namespace extraction {

using BlockCipher = std::function<Block(const Block&)>;

/// Undoes either of the two.
/// \returns nothing if the integrity check fails
std::optional<Bytes> unwrapBlob(const BlockCipher& decrypt, const Bytes& blob);

/// RFC 5649 of a key of 16 bytes and more.
Bytes wrapKwp(const BlockCipher& encrypt, const Bytes& key);

}  // namespace extraction
