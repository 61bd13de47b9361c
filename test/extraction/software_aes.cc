#include "software_aes.h"

#include <algorithm>

namespace extraction {
namespace {

constexpr CK_BYTE doubled(CK_BYTE value) {
  return static_cast<CK_BYTE>((value << 1) ^ ((value & 0x80) != 0 ? 0x1b : 0));
}

constexpr CK_BYTE product(CK_BYTE a, CK_BYTE b) {
  CK_BYTE sum = 0;
  for (; b != 0; b = static_cast<CK_BYTE>(b >> 1), a = doubled(a)) {
    if ((b & 1) != 0) sum ^= a;
  }
  return sum;
}

constexpr CK_BYTE rotated(CK_BYTE value, int bits) {
  return static_cast<CK_BYTE>((value << bits) | (value >> (8 - bits)));
}

using Table = std::array<CK_BYTE, 256>;

/// FIPS 197 §5.1.1. Powers of 3 run through all values but 0, those of its inverse 0xF6 through the inverses.
constexpr Table substitution() {
  Table table{};
  table[0] = 0x63;
  CK_BYTE value = 1;
  CK_BYTE inverse = 1;
  for (int i = 0; i < 255; ++i) {
    CK_BYTE affine = 0x63;
    for (int bits = 0; bits < 5; ++bits) affine ^= rotated(inverse, bits);
    table[value] = affine;
    value = product(value, 3);
    inverse = product(inverse, 0xf6);
  }
  return table;
}

constexpr Table inverted(const Table& table) {
  Table inverse{};
  for (size_t i = 0; i < table.size(); ++i) inverse[table[i]] = static_cast<CK_BYTE>(i);
  return inverse;
}

constexpr Table kSubstitution = substitution();
constexpr Table kInverse = inverted(kSubstitution);

void substitute(Block& block, const Table& table) {
  for (auto& byte : block) byte = table[byte];
}

/// \param step 1 shifts rows as encryption does, 3 undoes it
void shiftRows(Block& block, size_t step) {
  const Block from = block;
  for (size_t i = 0; i < 16; ++i) block[i] = from[(i + 4 * step * (i % 4)) % 16];
}

void mixColumns(Block& block, const std::array<CK_BYTE, 4>& factors) {
  const Block from = block;
  for (size_t i = 0; i < 16; ++i) {
    const size_t column = i / 4 * 4;
    block[i] = 0;
    for (size_t j = 0; j < 4; ++j) block[i] ^= product(from[column + (i + j) % 4], factors[j]);
  }
}

void add(Block& block, const Block& other) {
  for (size_t i = 0; i < 16; ++i) block[i] ^= other[i];
}

constexpr std::array<CK_BYTE, 4> kMix{2, 3, 1, 1};
constexpr std::array<CK_BYTE, 4> kUnmix{14, 11, 13, 9};

/// NIST SP 800-38D §6.3, bit by bit.
Block multiplied(const Block& x, Block y) {
  Block sum{};
  for (size_t i = 0; i < 128; ++i) {
    if ((x[i / 8] >> (7 - i % 8) & 1) != 0) add(sum, y);
    const bool carry = (y[15] & 1) != 0;
    for (size_t j = 15; j > 0; --j) y[j] = static_cast<CK_BYTE>(y[j] >> 1 | y[j - 1] << 7);
    y[0] = static_cast<CK_BYTE>(y[0] >> 1 ^ (carry ? 0xe1 : 0));
  }
  return sum;
}

Block hashOf(const Block& subkey, const Bytes& ciphertext) {
  Block sum{};
  for (size_t offset = 0; offset < ciphertext.size(); offset += 16) {
    for (size_t i = 0; i < 16 && offset + i < ciphertext.size(); ++i) sum[i] ^= ciphertext[offset + i];
    sum = multiplied(sum, subkey);
  }
  const size_t bits = ciphertext.size() * 8;
  for (size_t i = 0; i < 8; ++i) sum[15 - i] ^= static_cast<CK_BYTE>(bits >> (8 * i));
  return multiplied(sum, subkey);
}

}  // namespace

Aes::Aes(const Bytes& key) {
  const size_t words = key.size() / 4;
  Bytes schedule = key;
  CK_BYTE round = 1;
  for (size_t i = words; i < 4 * (words + 7); ++i) {
    std::array<CK_BYTE, 4> word{};
    std::copy_n(schedule.end() - 4, 4, word.begin());
    if (i % words == 0) std::rotate(word.begin(), word.begin() + 1, word.end());
    if (i % words == 0 || (words == 8 && i % words == 4)) {
      for (auto& byte : word) byte = kSubstitution[byte];
    }
    if (i % words == 0) {
      word[0] ^= round;
      round = doubled(round);
    }
    for (size_t j = 0; j < 4; ++j) schedule.push_back(schedule[schedule.size() - key.size()] ^ word[j]);
  }
  roundKeys_.resize(schedule.size() / 16);
  for (size_t i = 0; i < schedule.size(); ++i) roundKeys_[i / 16][i % 16] = schedule[i];
}

Block Aes::encrypt(Block block) const {
  add(block, roundKeys_.front());
  for (size_t round = 1; round < roundKeys_.size(); ++round) {
    substitute(block, kSubstitution);
    shiftRows(block, 1);
    if (round + 1 < roundKeys_.size()) mixColumns(block, kMix);
    add(block, roundKeys_[round]);
  }
  return block;
}

Block Aes::decrypt(Block block) const {
  for (size_t round = roundKeys_.size() - 1; round > 0; --round) {
    add(block, roundKeys_[round]);
    if (round + 1 < roundKeys_.size()) mixColumns(block, kUnmix);
    shiftRows(block, 3);
    substitute(block, kInverse);
  }
  add(block, roundKeys_.front());
  return block;
}

std::optional<Bytes> decryptGcm(const Bytes& key, const Bytes& nonce, const Bytes& sealed) {
  if (sealed.size() < 16 || nonce.size() != 12) return std::nullopt;
  const Aes aes(key);
  Block counter{};
  std::copy(nonce.begin(), nonce.end(), counter.begin());
  counter[15] = 1;
  Bytes ciphertext(sealed.begin(), sealed.end() - 16);
  Block tag = hashOf(aes.encrypt(Block{}), ciphertext);
  add(tag, aes.encrypt(counter));
  if (!std::equal(tag.begin(), tag.end(), sealed.end() - 16)) return std::nullopt;
  Block stream{};
  for (size_t i = 0; i < ciphertext.size(); ++i) {
    if (i % 16 == 0) {
      // One byte of the counter lasts for 253 blocks: more than any known answer has.
      ++counter[15];
      stream = aes.encrypt(counter);
    }
    ciphertext[i] ^= stream[i % 16];
  }
  return ciphertext;
}

}  // namespace extraction
