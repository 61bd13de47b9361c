/// \file An RSA public key outside of its token, and the fingerprint by which people know it.
#pragma once

#include "bytes.h"
#include "sha256.h"

namespace holdfast {

/// Unsigned numbers, most significant byte first, without leading zeroes (PKCS#11 v2.40 mechanisms §2.1.2).
struct RsaPublicKey {
  Bytes modulus;
  Bytes exponent;
};

/// DER of the SubjectPublicKeyInfo (RFC 5280 §4.1.2.7, RFC 8017 §A.1).
[[nodiscard]] Bytes subjectPublicKeyInfo(const RsaPublicKey& key);

/// SHA-256 of the SubjectPublicKeyInfo: the fingerprint that vendors' tools and attestations show.
[[nodiscard]] Sha256 fingerprintOf(const RsaPublicKey& key);

}  // namespace holdfast
