/// \file Whether two secrets are the same, without keeping either.
#pragma once

#include <array>
#include <cstdint>

#include "bytes.h"

namespace holdfast {

/// SipHash-2-4 (Aumasson and Bernstein, 2012) under two keys that are drawn once a process: 128 bits that say
/// nothing to anyone without the keys, and that two secrets share by a chance of 2^-128.
class Fingerprint {
 public:
  /// Throws std::system_error if the system has no random bytes.
  explicit Fingerprint(ByteView secret);

  bool operator==(const Fingerprint&) const = default;

 private:
  std::array<uint64_t, 2> value_;
};

}  // namespace holdfast
