/// \file The mark that a generation of cluster keys is complete: a public data object on each member (PKCS#11
/// v2.40 §4.5), made when all members have all keys.
///
/// Keys of a generation without a mark on any member were never in use, and may be destroyed. A
/// generation with a mark may have wrapped keys or backups that nothing else decrypts, and is never destroyed
/// by a ceremony.
#pragma once

#include <optional>

#include "cluster_keys.h"
#include "sha256.h"

namespace holdfast {

/// The digest of the generation that the token's mark holds; none if it has no mark. The caller proves that
/// the token is alive. Throws `bad-output` for marks that are no digest, and for two that differ.
[[nodiscard]] std::optional<Sha256> readMark(Session& session, const Generation& generation);

/// Makes the mark.
void writeMark(Session& session, const Generation& generation, const Sha256& digest);

}  // namespace holdfast
