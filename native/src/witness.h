/// \file The witness of a catalog on a token: which catalog used the token last, and how far that had come. A
/// private data object (PKCS#11 v2.40 §4.5), so that only the holder of the PIN can make or change one. On a
/// token that keeps no data objects it is an RSA public key, whose modulus holds the same bytes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "profile.h"
#include "session.h"

namespace holdfast {

struct OperationContext;

/// `NativeWitness` of src/hsm/native-witness.ts.
struct Witness {
  std::array<uint8_t, 16> incarnation{};
  uint64_t epoch = 0;
  /// Milliseconds since 1970, by the writer's clock.
  uint64_t writtenMs = 0;
  /// For people: whose catalog it is.
  std::string deployment;

  bool operator==(const Witness&) const = default;
};

/// Beyond it a number is no epoch: one a second would take nine million years.
inline constexpr uint64_t kMaxEpoch = uint64_t{1} << 48U;
/// The most bytes of a deployment's name.
inline constexpr size_t kMaxDeploymentLength = 128;
/// How many objects with a witness's name are read, and removed at a time. Whoever has the PIN can plant any
/// number.
inline constexpr size_t kMaxWitnesses = 64;

/// The witnesses of the cluster on this token, in no order: one, or more after a replacement that was broken
/// off. Objects of another form are left out. The caller proves that the token is alive.
[[nodiscard]] std::vector<Witness> readWitnesses(OperationContext& context, const std::string& cluster);

/// Makes the witness, reads it back, and then destroys the others of the cluster, of any form. Those of the
/// same incarnation with a higher epoch stay: another process has written them meanwhile.
void writeWitness(OperationContext& context, const std::string& cluster, const Witness& witness);

}  // namespace holdfast
