/// \file Finds the cluster keys that an operation of a lane uses.
#pragma once

#include "cluster_keys.h"
#include "key_wrapping.h"
#include "operation_context.h"

namespace holdfast {

/// A cluster key of the generation, with all its attributes: a key that the holder of the PIN put in its
/// place is not trusted, and nothing is wrapped or authenticated under it. Throws `material-missing`,
/// `material-ambiguous` or `material-mismatch` if there is no such key.
[[nodiscard]] CK_OBJECT_HANDLE requiredClusterKey(OperationContext& context, const ClusterKey& key,
                                                  const Generation& generation);

/// How keys of this kind are wrapped in the generation.
[[nodiscard]] Wrapping requiredWrapping(OperationContext& context, const KeyKind& kind,
                                        const Generation& generation);

}  // namespace holdfast
