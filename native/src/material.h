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

/// How a key proves which material it is. To add a kind (a signature that verifies, a known MAC, a known
/// derivation), add an alternative here; then known_answer.h does not compile until it handles it.
using KnownAnswer = std::variant<DecryptionCanary>;

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
