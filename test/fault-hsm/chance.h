/// \file Repeatable chance: the n-th draw from a seed is the same in every run, whichever thread makes it.
#pragma once

#include <cmath>
#include <cstdint>

namespace faulthsm {

/// One step of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
constexpr uint64_t mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

/// Draw number `index` of a seed, in [0, 1).
inline double uniform(uint64_t seed, uint64_t index) {
  return static_cast<double>(mix(mix(seed) ^ index) >> 11) * 0x1p-53;
}

/// Draw number `index` of a seed, normally distributed (Box and Muller, 1958).
inline double normal(uint64_t seed, uint64_t index) {
  const double radius = std::sqrt(-2 * std::log(1 - uniform(seed, 2 * index)));
  return radius * std::cos(6.283185307179586 * uniform(seed, 2 * index + 1));
}

}  // namespace faulthsm
