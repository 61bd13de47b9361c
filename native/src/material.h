/// \file The attributes and canary that a key material must show (`NativeMaterial` of src/hsm/native.ts,
/// invariant 3).
#pragma once

#include <memory>
#include <string>

#include "bytes.h"

namespace holdfast {

/// Immutable once made; shared by the requests that use it.
struct Material {
  Bytes id;
  std::string label;
  bool extractable = false;
  Bytes canaryNonce;
  Bytes canaryCiphertext;
  Bytes canaryAdditionalData;
  Bytes canaryPlaintext;

  bool operator==(const Material&) const = default;
};

/// Keeps a material alive for the requests and the proofs that use it.
using MaterialPointer = std::shared_ptr<const Material>;

}  // namespace holdfast
