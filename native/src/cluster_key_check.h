/// \file Shows that two members have the same cluster key, though neither can read it or decrypt with it.
#pragma once

#include "cluster_keys.h"
#include "sha256.h"

namespace holdfast {

/// A value that depends on the key alone, not on the make of the token: a digest of a published key wrapped
/// under it (RFC 5649 is deterministic), or of a MAC. It says nothing about the key: anyone who may use it
/// can have such a value.
[[nodiscard]] Sha256 checkValueOf(Session& session, CK_OBJECT_HANDLE object, const ClusterKey& key,
                                  const Profile& profile);

}  // namespace holdfast
