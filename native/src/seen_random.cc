#include "seen_random.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <random>

#include "cryptoki.h"
#include "never_destroyed.h"

namespace holdfast {
namespace {

constexpr size_t kPiece = kNonceLength;
/// The shortest piece to compare: shorter ones repeat by chance.
constexpr size_t kShortestPiece = 8;
constexpr uint64_t kSampleMask = uint64_t(1023) << 54U;

std::array<uint64_t, 2> randomKey() {
  std::random_device random;
  std::uniform_int_distribution<uint64_t> any;
  return {any(random), any(random)};
}

/// SipHash-2-4 of at most 15 bytes (Aumasson, Bernstein: "SipHash: a fast short-input PRF", §2).
class SipHash {
 public:
  explicit SipHash(const std::array<uint64_t, 2>& key)
      : state_{key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
               key[1] ^ 0x7465646279746573} {}

  void add(uint64_t word) {
    state_[3] ^= word;
    rounds(2);
    state_[0] ^= word;
  }

  uint64_t result() {
    state_[2] ^= 0xff;
    rounds(4);
    return state_[0] ^ state_[1] ^ state_[2] ^ state_[3];
  }

 private:
  void rounds(int count) {
    auto& [a, b, c, d] = state_;
    for (int round = 0; round < count; ++round) {
      a += b;
      c += d;
      b = std::rotl(b, 13) ^ a;
      d = std::rotl(d, 16) ^ c;
      a = std::rotl(a, 32);
      c += b;
      a += d;
      b = std::rotl(b, 17) ^ c;
      d = std::rotl(d, 21) ^ a;
      c = std::rotl(c, 32);
    }
  }

  std::array<uint64_t, 4> state_;
};

constexpr size_t kWord = sizeof(uint64_t);
/// The distance within which words are compared: the most that a caller may ask for at once.
constexpr size_t kWindow = 1024;

uint64_t wordAt(ByteView bytes, size_t offset) {
  uint64_t word = 0;
  std::memcpy(&word, bytes.data() + offset, kWord);
  return word;
}

/// Whether a word of 8 bytes comes twice within a kilobyte of a draw. By chance that happens once in 2^50
/// kilobytes. An RNG that repeats blocks of 16 bytes would make a 32-byte data key of two equal halves,
/// although each piece is new. Compared in place: a copy would have to be wiped.
bool repeatsItself(ByteView drawn) {
  for (size_t one = 0; one + kWord <= drawn.size(); one += kWord) {
    const size_t end = std::min(drawn.size(), one + kWindow);
    for (size_t other = one + kWord; other + kWord <= end; other += kWord) {
      if (wordAt(drawn, one) == wordAt(drawn, other)) return true;
    }
  }
  return false;
}

}  // namespace

bool FingerprintTable::insert(uint64_t fingerprint) {
  auto& [fingerprints, oldest] = buckets_[fingerprint % buckets_.size()];
  if (std::ranges::find(fingerprints, fingerprint) != fingerprints.end()) return false;
  fingerprints[oldest] = fingerprint;
  oldest = (oldest + 1) % kWays;
  return true;
}

SeenRandom& SeenRandom::ofProcess() {
  static NeverDestroyed<SeenRandom> seen;
  return *seen;
}

SeenRandom::SeenRandom() : key_(randomKey()) {}

bool SeenRandom::note(ByteView drawn) {
  bool isNew = !repeatsItself(drawn);
  const MutexLock lock(mutex_);
  while (drawn.size() >= kShortestPiece) {
    const ByteView piece = drawn.first(std::min(drawn.size(), kPiece));
    // Notes every piece, even after a match: each must be recognised if it comes again.
    isNew = notePiece(piece) && isNew;
    drawn = drawn.subspan(piece.size());
  }
  return isNew;
}

bool SeenRandom::notePiece(ByteView piece) {
  if (std::ranges::all_of(piece, [](uint8_t byte) { return byte == 0; })) return false;
  const uint64_t fingerprint = fingerprintOf(piece);
  const bool isSample = (fingerprint & kSampleMask) == 0;
  const bool isNewSample = !isSample || samples_.insert(fingerprint);
  return recent_.insert(fingerprint) && isNewSample;
}

uint64_t SeenRandom::fingerprintOf(ByteView piece) const {
  std::array<uint64_t, 2> words{};
  std::memcpy(words.data(), piece.data(), piece.size());
  // The last byte is the length.
  words[1] |= uint64_t(piece.size()) << 56U;
  SipHash hash(key_);
  for (const uint64_t word : words) hash.add(word);
  // 0 marks an empty place.
  return std::max<uint64_t>(hash.result(), 1);
}

}  // namespace holdfast
