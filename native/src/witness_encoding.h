/// \file The bytes of a witness: a version, the incarnation, epoch and date in big-endian order, then the
/// length of the deployment's name and the name.
#pragma once

#include <optional>

#include "bytes.h"
#include "witness.h"

namespace holdfast {

/// The value of a data object. The caller keeps to `kMaxEpoch` and `kMaxDeploymentLength`.
[[nodiscard]] Bytes encodeWitness(const Witness& witness);
/// Nothing for bytes of another form or version.
[[nodiscard]] std::optional<Witness> decodeWitness(ByteView content);

/// The same in the modulus of a public key: 2,048 bits and odd.
[[nodiscard]] Bytes witnessModulus(const Witness& witness);
[[nodiscard]] std::optional<Witness> witnessInModulus(ByteView modulus);

}  // namespace holdfast
