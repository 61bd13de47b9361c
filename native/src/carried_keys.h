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
  /// Not empty: the generation is not complete, and must not be used, until an officer has marked these keys.
  std::vector<UnmarkedKey> unmarked;
};

}  // namespace holdfast
