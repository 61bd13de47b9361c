/// \file Byte strings that are not secret.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace holdfast {

/// Owned. What is secret is a Secret instead.
using Bytes = std::vector<uint8_t>;
/// Somebody else's, who keeps it alive.
using ByteView = std::span<const uint8_t>;

/// PKCS#11 takes pointers to non-const even for what it only reads (§2, CK_BYTE_PTR), and some modules refuse
/// NULL where the length is 0: so an empty view points at a byte.
inline uint8_t* pointerFor(ByteView view) {
  static uint8_t nothing = 0;
  return view.empty() ? &nothing : const_cast<uint8_t*>(view.data());
}

}  // namespace holdfast
