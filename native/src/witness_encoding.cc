#include "witness_encoding.h"

#include <algorithm>

namespace holdfast {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kNumberLength = sizeof(uint64_t);
constexpr size_t kHeadLength = 1 + sizeof(Witness::incarnation) + 2 * kNumberLength + 1;

/// A modulus that tokens take. Padding, the length of the content, the content, and padding again.
constexpr size_t kModulusLength = 256;
constexpr uint8_t kPadding = 0xff;
constexpr uint8_t kLastByte = 0x01;
constexpr size_t kLengthPosition = 1;
static_assert(kHeadLength + kMaxDeploymentLength < kModulusLength - kLengthPosition - 2);

/// Returns where the bytes behind it begin.
Bytes::iterator putNumber(Bytes::iterator at, uint64_t number) {
  for (size_t i = kNumberLength; i-- > 0;) *at++ = static_cast<uint8_t>(number >> (8U * i));
  return at;
}

uint64_t numberIn(ByteView bytes) {
  uint64_t number = 0;
  for (const uint8_t byte : bytes.first(kNumberLength)) number = number << 8U | byte;
  return number;
}

}  // namespace

Bytes encodeWitness(const Witness& witness) {
  Bytes content(kHeadLength + witness.deployment.size());
  auto at = content.begin();
  *at++ = kVersion;
  at = std::ranges::copy(witness.incarnation, at).out;
  at = putNumber(putNumber(at, witness.epoch), witness.writtenMs);
  *at++ = static_cast<uint8_t>(witness.deployment.size());
  std::ranges::copy(witness.deployment, at);
  return content;
}

std::optional<Witness> decodeWitness(ByteView content) {
  if (content.size() < kHeadLength || content.front() != kVersion) return std::nullopt;
  Witness witness;
  auto rest = content.subspan(1);
  std::ranges::copy(rest.first(witness.incarnation.size()), witness.incarnation.begin());
  rest = rest.subspan(witness.incarnation.size());
  witness.epoch = numberIn(rest);
  witness.writtenMs = numberIn(rest.subspan(kNumberLength));
  const auto name = rest.subspan(2 * kNumberLength + 1);
  const size_t length = rest[2 * kNumberLength];
  if (length > kMaxDeploymentLength || name.size() != length) return std::nullopt;
  // The date becomes a number of JavaScript, like the epoch.
  if (witness.epoch > kMaxEpoch || witness.writtenMs > kMaxEpoch) return std::nullopt;
  witness.deployment.assign(name.begin(), name.end());
  return witness;
}

Bytes witnessModulus(const Witness& witness) {
  const Bytes content = encodeWitness(witness);
  Bytes modulus(kModulusLength, kPadding);
  modulus[kLengthPosition] = static_cast<uint8_t>(content.size());
  std::ranges::copy(content, modulus.begin() + kLengthPosition + 1);
  modulus.back() = kLastByte;
  return modulus;
}

std::optional<Witness> witnessInModulus(ByteView modulus) {
  if (modulus.size() != kModulusLength) return std::nullopt;
  const size_t length = modulus[kLengthPosition];
  const auto content = modulus.subspan(kLengthPosition + 1);
  if (length >= content.size()) return std::nullopt;
  auto witness = decodeWitness(content.first(length));
  if (!witness || !std::ranges::equal(witnessModulus(*witness), modulus)) return std::nullopt;
  return witness;
}

}  // namespace holdfast
