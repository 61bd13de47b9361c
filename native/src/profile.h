/// \file The part of a vendor profile that concerns operations: the ways in which one token's PKCS#11 differs
/// from another's.
#pragma once

#include <cstddef>
#include <limits>

#include "cryptoki.h"

namespace holdfast {

/// CKM_AES_KEY_WRAP_KWP, which the header of v2.40 does not have yet.
inline constexpr CK_MECHANISM_TYPE kAesKeyWrapKwp = 0x210b;

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

  /// AES key wrap with padding (RFC 5649): CKM_AES_KEY_WRAP_KWP of PKCS#11 v3.0. SoftHSM 2.6.1 has it as
  /// CKM_AES_KEY_WRAP_PAD, a number that means another mechanism on NSS.
  CK_MECHANISM_TYPE keyWrapWithPadding = kAesKeyWrapKwp;
  /// Hash of RSA-OAEP and of its mask, with which cluster keys travel. SoftHSM 2.6.1 takes SHA-1 alone. OAEP
  /// needs no collision resistance of it (RFC 8017 §7.1), so SHA-1 is safe there.
  CK_MECHANISM_TYPE oaepHash = CKM_SHA256;
  CK_ULONG oaepMask = CKG_MGF1_SHA256;
  /// CKA_PRIVATE of the cluster keys. SoftHSM's officer may not make private objects, so there they are
  /// visible without a PIN, and can be destroyed; their use stays bound by their templates.
  bool clusterKeysArePrivate = true;
  /// Whether a token key may have CKA_ALLOWED_MECHANISMS (v2.40 §4.9). NSS refuses it.
  bool knowsAllowedMechanisms = true;
  /// Whether a key that was generated has CKA_LOCAL. On NSS it has not.
  bool reportsLocal = true;
  /// Whether the mark of a generation is a public key, because the token keeps no data objects. NSS keeps
  /// none.
  bool marksArePublicKeys = false;

  /// Throws `too-long`, before the token is touched.
  void requireFits(size_t plaintextLength) const;
};

}  // namespace holdfast
