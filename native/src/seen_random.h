/// \file A memory of tokens' random bytes, to notice an RNG that repeats itself (invariant 9).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "bytes.h"
#include "mutex.h"

namespace holdfast {

/// Fingerprints in buckets of eight, of which the oldest makes room: about the last `kEntries` that came.
class FingerprintTable {
 public:
  static constexpr size_t kEntries = 65'536;

  /// False if it is already there.
  [[nodiscard]] bool insert(uint64_t fingerprint);

 private:
  static constexpr size_t kWays = 8;
  struct Bucket {
    std::array<uint64_t, kWays> fingerprints{};
    size_t oldest = 0;
  };
  std::vector<Bucket> buckets_ = std::vector<Bucket>(kEntries / kWays);
};

/// Random bytes are looked at in pieces of a nonce's length, whatever they are for: an RNG that begins anew
/// gives a data key whose bytes were an earlier nonce. One memory serves all tokens of the process, because
/// members hold the same keys, and survives a token's return, because that is when an RNG begins anew.
///
/// The bound: the last 65,536 pieces in full (1,024 draws of nonces), and of all earlier ones each 1,024th,
/// the last 65,536 of those: 67 million pieces back. So an RNG that starts again, or whose period is less
/// than the first number, is noticed with the first piece that repeats, and a longer period within some 1,024
/// pieces of its second turn. That takes 1.1 MiB. A piece that only looks like another (64
/// bits each) costs one draw in 2^48.
class SeenRandom {
 public:
  static SeenRandom& ofProcess();

  SeenRandom();

  /// Notes each whole piece, and a last one of at least 8 bytes. False if one came before, or is all zeroes,
  /// as an RNG that writes nothing leaves it, or if the draw has the same 8 bytes twice, at
  /// multiples of 8: then nothing of the draw may be used.
  [[nodiscard]] bool note(ByteView drawn);

 private:
  [[nodiscard]] bool notePiece(ByteView piece) REQUIRES(mutex_);
  uint64_t fingerprintOf(ByteView piece) const;

  Mutex mutex_;
  /// The key of this process: fingerprints found in memory reveal nothing about data keys.
  const std::array<uint64_t, 2> key_;
  FingerprintTable recent_ GUARDED_BY(mutex_);
  FingerprintTable samples_ GUARDED_BY(mutex_);
};

}  // namespace holdfast
