/// \file A memory of tokens' random bytes, to notice an RNG that repeats itself (invariant 9).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "bytes.h"
#include "mutex.h"

namespace holdfast {

/// Fingerprints in buckets of eight, in which a new one replaces the oldest. So this holds about the last
/// `kEntries` fingerprints.
class FingerprintTable {
 public:
  static constexpr size_t kEntries = 65'536;

  /// Inserts a fingerprint. False if it is already there.
  [[nodiscard]] bool insert(uint64_t fingerprint);

 private:
  static constexpr size_t kWays = 8;
  struct Bucket {
    std::array<uint64_t, kWays> fingerprints{};
    size_t oldest = 0;
  };
  std::vector<Bucket> buckets_ = std::vector<Bucket>(kEntries / kWays);
};

/// Random bytes are compared in pieces of a nonce's length, whatever they are for: an RNG that starts again
/// could give a data key whose bytes were an earlier nonce. One memory serves all tokens of the process,
/// because members hold the same keys. It survives a token's return, because that is when an RNG starts
/// again.
///
/// The bound: it remembers all of the last 65,536 pieces (1,024 draws of nonces). Of earlier pieces it
/// remembers one in 1,024, the last 65,536 of them: 67 million pieces back. An RNG that starts again, or
/// whose period is under 65,536 pieces, is noticed at the first piece that repeats. A longer period is
/// noticed within some 1,024 pieces of its second turn. The memory takes 1.1 MiB. Fingerprints have 64 bits,
/// so a draw is refused by mistake once in 2^48.
class SeenRandom {
 public:
  static SeenRandom& ofProcess();

  SeenRandom();

  /// Notes each whole piece, and a last one of at least 8 bytes. Returns false if a piece came before, or is
  /// all zeroes, as an RNG that writes nothing leaves it. Also false if the draw has the same 8 bytes twice,
  /// at multiples of 8. Then nothing of the draw may be used.
  [[nodiscard]] bool note(ByteView drawn);

 private:
  [[nodiscard]] bool notePiece(ByteView piece) REQUIRES(mutex_);
  uint64_t fingerprintOf(ByteView piece) const;

  Mutex mutex_;
  /// Drawn anew by each process, so fingerprints found in its memory reveal nothing about data keys.
  const std::array<uint64_t, 2> key_;
  FingerprintTable recent_ GUARDED_BY(mutex_);
  FingerprintTable samples_ GUARDED_BY(mutex_);
};

}  // namespace holdfast
