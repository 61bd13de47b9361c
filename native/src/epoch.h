/// \file One session epoch: from a login to the next one.
#pragma once

#include <cstdint>

#include "handle_cache.h"

namespace holdfast {

/// Handles live in it and die with it (design invariant 3): an operation that began in the old epoch fills
/// the old cache.
struct Epoch {
  explicit Epoch(uint64_t given) : number(given) {}

  const uint64_t number;
  HandleCache cache;
};

}  // namespace holdfast
