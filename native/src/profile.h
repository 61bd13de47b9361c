/// \file In what a token's PKCS#11 differs from another's: what of a vendor profile concerns the operations.
#pragma once

#include <cstddef>
#include <limits>
#include <vector>

#include "cryptoki.h"

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
  /// What C_Decrypt may answer because of the ciphertext alone.
  std::vector<CK_RV> wrongTagCodes = defaultWrongTagCodes();

  /// May a bad ciphertext alone make `C_Decrypt` answer this? Some tokens answer CKR_GENERAL_ERROR for a
  /// wrong tag (SoftHSM 2.6.1) or CKR_FUNCTION_FAILED (nShield): the canary decides (invariant 5).
  bool maySpeakOfCiphertext(CK_RV value) const;
  /// Throws `too-long`, before the token is touched.
  void requireFits(size_t plaintextLength) const;

  static std::vector<CK_RV> defaultWrongTagCodes();
};

}  // namespace holdfast
