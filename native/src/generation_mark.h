/// \file The mark that a generation of cluster keys is complete: a public data object on each member (PKCS#11
/// v2.40 §4.5), made when all members have all keys. On a token that keeps no data objects it is an RSA
/// public key, whose modulus holds the same bytes and is no product of primes.
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

/// The content of a mark.
struct Mark {
  /// Says which keys they are; the same on all members.
  Sha256 digest{};
  /// Whether every member of the cluster enforces trust. A cluster has one answer for ever: one token that
  /// does not gives away the keys of all.
  bool enforced = true;

  bool operator==(const Mark&) const = default;
};

/// A generation whose mark a token has.
struct MarkedGeneration {
  uint32_t number = 0;
  Sha256 digest{};
  bool enforced = true;
};

/// The generation's mark on the token, if it has one. The caller proves that the token is alive. Throws
/// `bad-output` for marks of another form, and for two that differ.
[[nodiscard]] std::optional<Mark> readMark(Session& session, const Generation& generation);

/// The marked generations of a cluster, in ascending order. A mark of another form does not count, nor do
/// two of one generation that differ: anyone who reaches the token can plant marks, and the others must stay
/// usable. The caller proves that the token is alive. Throws `bad-output` beyond 256 marks of the cluster.
[[nodiscard]] std::vector<MarkedGeneration> readMarks(Session& session, const std::string& cluster);

/// Makes the mark. `asPublicKey` as `Profile::marksArePublicKeys`.
void writeMark(Session& session, const Generation& generation, const Mark& mark, bool asPublicKey = false);

}  // namespace holdfast
