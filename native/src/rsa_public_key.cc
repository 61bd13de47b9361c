#include "rsa_public_key.h"

#include <initializer_list>

namespace holdfast {
namespace {

constexpr uint8_t kInteger = 0x02;
constexpr uint8_t kBitString = 0x03;
constexpr uint8_t kSequence = 0x30;

/// AlgorithmIdentifier: rsaEncryption (1.2.840.113549.1.1.1), NULL.
constexpr std::array<uint8_t, 15> kRsaEncryption{0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                                 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};

/// One element with its tag and its definite length (X.690 §8.1.3).
Bytes element(uint8_t tag, std::initializer_list<ByteView> parts) {
  size_t length = 0;
  for (const ByteView part : parts) length += part.size();
  Bytes der{tag};
  if (length < 0x80) {
    der.push_back(uint8_t(length));
  } else {
    Bytes digits;
    for (size_t rest = length; rest > 0; rest >>= 8) digits.insert(digits.begin(), uint8_t(rest));
    der.push_back(uint8_t(0x80 | digits.size()));
    der.insert(der.end(), digits.begin(), digits.end());
  }
  for (const ByteView part : parts) der.insert(der.end(), part.begin(), part.end());
  return der;
}

/// A positive number: a zero byte in front if its first bit is set (X.690 §8.3).
Bytes integer(ByteView number) {
  static constexpr std::array<uint8_t, 1> zero{0};
  const bool needsZero = number.empty() || (number[0] & 0x80) != 0;
  return element(kInteger, {ByteView(zero).first(needsZero ? 1 : 0), number});
}

}  // namespace

Bytes subjectPublicKeyInfo(const RsaPublicKey& key) {
  static constexpr std::array<uint8_t, 1> noUnusedBits{0};
  const Bytes publicKey = element(kSequence, {integer(key.modulus), integer(key.exponent)});
  return element(kSequence, {kRsaEncryption, element(kBitString, {noUnusedBits, publicKey})});
}

Sha256 fingerprintOf(const RsaPublicKey& key) { return sha256(subjectPublicKeyInfo(key)); }

}  // namespace holdfast
