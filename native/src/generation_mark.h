/// \file The mark that a generation of cluster keys is complete: a public data object on each member (PKCS#11
/// v2.40 §4.5), made when all members have all keys.
///
/// Keys of a generation without a mark on any member were never in use, and may be destroyed. A
/// generation with a mark may have wrapped keys or backups that nothing else decrypts, and is never destroyed
/// by a ceremony.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cluster_keys.h"
#include "sha256.h"

namespace holdfast {

/// A generation whose mark a token has.
struct MarkedGeneration {
  uint32_t number = 0;
  /// Says which keys they are; the same on all members.
  Sha256 digest{};
};

/// The digest of the generation that the token's mark holds; none if it has no mark. The caller proves that
/// the token is alive. Throws `bad-output` for marks that are no digest, and for two that differ.
[[nodiscard]] std::optional<Sha256> readMark(Session& session, const Generation& generation);

/// The marked generations of a cluster, in ascending order. A mark that is no digest does not count, nor do
/// two of one generation that differ: anyone who reaches the token can plant marks, and the others must stay
/// usable. The caller proves that the token is alive. Throws `bad-output` beyond 256 marks of the cluster.
[[nodiscard]] std::vector<MarkedGeneration> readMarks(Session& session, const std::string& cluster);

/// Makes the mark.
void writeMark(Session& session, const Generation& generation, const Sha256& digest);

}  // namespace holdfast
