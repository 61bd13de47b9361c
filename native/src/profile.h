/// \file The part of a vendor profile that concerns operations: the ways in which one token's PKCS#11 differs
/// from another's.
#pragma once

#include <cstddef>
#include <limits>

namespace holdfast {

/// `NativeProfile` of src/hsm/native.ts. The defaults are cautious, for an unknown token.
struct Profile {
  /// AES-GCM: 12 zero bytes go in as IV, and the token's own nonce comes back in their place. Otherwise the
  /// addon draws the nonce.
  bool tokenMakesNonces = false;
  /// Whether templates may have CKA_COPYABLE, which came with v2.40. A module that lacks it still cannot copy
  /// a sensitive object into one that is not sensitive.
  bool knowsCopyable = true;
  /// Maximum plaintext of one AES-GCM operation, in bytes.
  size_t maximumGcmLength = std::numeric_limits<size_t>::max();

  /// Throws `too-long`, before the token is touched.
  void requireFits(size_t plaintextLength) const;
};

}  // namespace holdfast
