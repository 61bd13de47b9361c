/// \file The attributes and canary that a key material must show (`NativeMaterial` of src/hsm/native.ts,
/// invariant 3).
#pragma once

#include <memory>
#include <string>
#include <variant>

#include "bytes.h"
#include "object_identity.h"

namespace holdfast {

/// A ciphertext that the key decrypts to a known plaintext (AES-GCM).
struct DecryptionCanary {
  Bytes nonce;
  Bytes ciphertext;
  Bytes additionalData;
  Bytes plaintext;

  bool operator==(const DecryptionCanary&) const = default;
};

/// An HMAC of the empty message, which no caller can have made. Its length says by which hash of SHA-2. A key
/// for MACs has that length too, and makes all its MACs by that hash, as the key specs of the API have it.
/// (SoftHSM 2.6.1 also refuses a key that is shorter than the hash.)
struct KnownMac {
  Bytes mac;

  bool operator==(const KnownMac&) const = default;
};

/// An RSA signature of a fixed message (RFC 8017 §8.2, PKCS #1 v1.5, which is deterministic).
struct KnownSignature {
  Bytes signature;

  bool operator==(const KnownSignature&) const = default;
};

/// The public half of an EC key (PKCS#11 v2.40, Current Mechanisms §2.3.3): what the key signs verifies under
/// it.
struct KnownPublicKey {
  /// CKA_EC_PARAMS and CKA_EC_POINT, both DER.
  Bytes curve;
  Bytes point;

  bool operator==(const KnownPublicKey&) const = default;
};

/// How a key proves which material it is, and thereby its kind. To add one (a known derivation), add an
/// alternative here; then known_answer.h does not compile until it handles it.
using KnownAnswer = std::variant<DecryptionCanary, KnownMac, KnownSignature, KnownPublicKey>;

/// Immutable once made; shared by the requests that use it.
struct Material {
  ObjectIdentity identity;
  std::string label;
  bool extractable = false;
  KnownAnswer knownAnswer;

  bool operator==(const Material&) const = default;
};

/// Keeps a material alive for the requests and the proofs that use it.
using MaterialPointer = std::shared_ptr<const Material>;

}  // namespace holdfast
