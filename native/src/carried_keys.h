/// \file How far the keys of a generation are, when all members have them.
#pragma once

#include <string>
#include <vector>

#include "key_kinds.h"
#include "sha256.h"

namespace holdfast {

/// A cluster key that an officer has not marked as trusted yet.
struct UnmarkedKey {
  std::string member;
  std::string serialNumber;
  KeyName name;
};

/// The outcome of `complete`.
struct CarriedKeysState {
  /// Says which keys they are; it belongs into the ceremony's record.
  Sha256 digest{};
  /// The keys that an officer must mark first.
  std::vector<UnmarkedKey> unmarked;
  /// Whether the generation is complete; it must not be used before.
  bool isComplete = false;
};

}  // namespace holdfast
