/// \file How long a call takes.
#pragma once

#include <cstdint>
#include <istream>
#include <optional>

namespace faulthsm {

/// A time, or a distribution of times.
class Delay {
 public:
  /// Reads `5`, `uniform 1 10`, `exponential 5` (its mean) or `lognormal 5 0.5` (its median, and sigma of its
  /// logarithm): milliseconds, with decimals. Nothing if it is none of these.
  static std::optional<Delay> read(std::istream& words);

  /// Draw number `index` of a seed.
  double milliseconds(uint64_t seed, uint64_t index) const;

 private:
  enum class Kind { kFixed, kUniform, kExponential, kLognormal };

  Kind kind_ = Kind::kFixed;
  double first_ = 0;
  double second_ = 0;
};

/// Sleeps, accurate to about ten microseconds. Holds no lock: calls of other threads go on.
void sleepFor(double milliseconds);

}  // namespace faulthsm
