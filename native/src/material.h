/// \file The attributes and canary that a key material must show (`NativeMaterial` of src/hsm/native.ts,
/// invariant 3).
#pragma once

#include <memory>
#include <string>
#include <variant>

#include "bytes.h"
#include "object_identity.h"

namespace holdfast {

/// A ciphertext that the key decrypts to a plaintext that is known (AES-GCM).
struct DecryptionCanary {
  Bytes nonce;
  Bytes ciphertext;
  Bytes additionalData;
  Bytes plaintext;

  bool operator==(const DecryptionCanary&) const = default;
};

/// By what a key proves which material it is. A further kind (a signature that verifies, a known MAC, a known
/// derivation) is one more alternative, and known_answer.h asks for the rest of it.
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
