/// \file In what a token's PKCS#11 differs from another's: what of a vendor profile concerns the operations.
#pragma once

#include <cstddef>
#include <limits>

namespace holdfast {

/// `NativeProfile` of src/hsm/native.ts. The defaults are the careful ones, for a token that nobody knows.
struct Profile {
  /// AES-GCM: 12 zero bytes go in as IV, and the token's own nonce comes back in their place. Else we draw
  /// it.
  bool tokenMakesNonces = false;
  /// Whether templates may have CKA_COPYABLE, which came with v2.40. A module without it cannot copy what is
  /// sensitive into what is not either.
  bool knowsCopyable = true;
  /// Most plaintext in one AES-GCM operation, in bytes.
  size_t maximumGcmLength = std::numeric_limits<size_t>::max();

  /// Throws `too-long`, before the token is touched.
  void requireFits(size_t plaintextLength) const;
};

}  // namespace holdfast
