#include "key_wrap.h"

#include <algorithm>

namespace extraction {
namespace {

using Half = std::array<CK_BYTE, 8>;

/// RFC 3394 §2.2.3.1.
constexpr Half kInitialValue{0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6};
/// RFC 5649 §3; the length follows.
constexpr std::array<CK_BYTE, 4> kAlternativeValue{0xa6, 0x59, 0x59, 0xa6};

void addCounter(Half& half, size_t counter) {
  for (size_t i = 0; i < 8; ++i) half[7 - i] ^= static_cast<CK_BYTE>(counter >> (8 * i));
}

/// The length before padding; nothing if `head` is not that of RFC 5649 or the length does not fit.
std::optional<size_t> lengthIn(const Half& head, size_t padded) {
  if (!std::equal(kAlternativeValue.begin(), kAlternativeValue.end(), head.begin())) return std::nullopt;
  size_t length = 0;
  for (size_t i = 4; i < 8; ++i) length = length << 8 | head[i];
  if (length > padded || length + 8 <= padded) return std::nullopt;
  return length;
}

}  // namespace

std::optional<Bytes> unwrapBlob(const BlockCipher& decrypt, const Bytes& blob) {
  if (blob.size() < 24 || blob.size() % 8 != 0) return std::nullopt;
  Half head{};
  std::copy_n(blob.begin(), 8, head.begin());
  Bytes key(blob.begin() + 8, blob.end());
  const size_t count = key.size() / 8;
  for (size_t step = 6 * count; step > 0; --step) {
    const auto half = key.begin() + static_cast<std::ptrdiff_t>((step - 1) % count * 8);
    addCounter(head, step);
    Block block{};
    std::copy(head.begin(), head.end(), block.begin());
    std::copy_n(half, 8, block.begin() + 8);
    block = decrypt(block);
    std::copy_n(block.begin(), 8, head.begin());
    std::copy_n(block.begin() + 8, 8, half);
  }
  if (head == kInitialValue) return key;
  const auto length = lengthIn(head, key.size());
  if (!length) return std::nullopt;
  key.resize(*length);
  return key;
}

Bytes wrapKwp(const BlockCipher& encrypt, const Bytes& key) {
  Half head{};
  std::copy(kAlternativeValue.begin(), kAlternativeValue.end(), head.begin());
  for (size_t i = 0; i < 4; ++i) head[7 - i] = static_cast<CK_BYTE>(key.size() >> (8 * i));
  Bytes padded = key;
  padded.resize((key.size() + 7) / 8 * 8);
  const size_t count = padded.size() / 8;
  for (size_t step = 1; step <= 6 * count; ++step) {
    const auto half = padded.begin() + static_cast<std::ptrdiff_t>((step - 1) % count * 8);
    Block block{};
    std::copy(head.begin(), head.end(), block.begin());
    std::copy_n(half, 8, block.begin() + 8);
    block = encrypt(block);
    std::copy_n(block.begin(), 8, head.begin());
    addCounter(head, step);
    std::copy_n(block.begin() + 8, 8, half);
  }
  padded.insert(padded.begin(), head.begin(), head.end());
  return padded;
}

}  // namespace extraction
