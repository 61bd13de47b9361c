/// \file Byte strings that are not secret.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace holdfast {

/// Owned bytes. Secret ones are a Secret instead.
using Bytes = std::vector<uint8_t>;
/// Borrowed bytes: the owner keeps them alive.
using ByteView = std::span<const uint8_t>;

/// PKCS#11 takes pointers to non-const even for what it only reads (§2, CK_BYTE_PTR), and some modules refuse
/// NULL when the length is 0. So an empty view points at a byte.
inline uint8_t* pointerFor(ByteView view) {
  static uint8_t nothing = 0;
  return view.empty() ? &nothing : const_cast<uint8_t*>(view.data());
}

}  // namespace holdfast
