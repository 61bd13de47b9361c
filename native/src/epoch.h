/// \file One session epoch: from a login to the next one.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <utility>
#include <variant>

#include "handle_cache.h"
#include "material.h"
#include "profile.h"

namespace holdfast {

/// Proofs of the HSM in this epoch that do not depend on a key.
struct SelfTest {
  /// When the last successful self-test began: see self_test.h.
  std::atomic<Clock::time_point> passed = Clock::time_point{};
  /// See known_answer.h. One for each kind of answer.
  std::array<std::atomic<bool>, std::variant_size_v<KnownAnswer>> refusesForgeries{};
};

/// Handles live in it and die with it (invariant 3): an operation that began in the old epoch fills
/// the old cache.
struct Epoch {
  explicit Epoch(uint64_t given, Profile itsProfile = {}) : number(given), profile(itsProfile) {}

  const uint64_t number;
  const Profile profile;
  HandleCache cache;
  SelfTest selfTest;
};

}  // namespace holdfast
