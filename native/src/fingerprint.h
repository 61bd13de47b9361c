/// \file Compares two secrets without keeping either.
#pragma once

#include <array>
#include <cstdint>

#include "bytes.h"

namespace holdfast {

/// SipHash-2-4 (Aumasson and Bernstein, 2012) under two keys that each process draws once. Its 128 bits
/// reveal nothing without the keys, and two secrets share them with a probability of 2^-128.
class Fingerprint {
 public:
  /// Throws std::system_error if the system has no random bytes.
  explicit Fingerprint(ByteView secret);

  bool operator==(const Fingerprint&) const = default;

 private:
  std::array<uint64_t, 2> value_;
};

}  // namespace holdfast
