#include "cluster_key_finding.h"

#include "key_finding.h"

namespace holdfast {

CK_OBJECT_HANDLE requiredClusterKey(OperationContext& context, const ClusterKey& key,
                                    const Generation& generation) {
  const KeyName name = nameOf(generation, key);
  const ObjectIdentity identity{CKO_SECRET_KEY, name.id};
  const auto entry = context.cache.entry(identity);
  auto handle = entry->candidate();
  if (!handle) handle = findOneObject(context, identity);
  try {
    requireClusterKey(context.session, *handle, key, name, context.profile);
  } catch (const Failure&) {
    // The next attempt searches anew: the handle may be another object's by now.
    context.cache.drop(identity, entry);
    throw;
  }
  entry->recordSeen(*handle);
  return *handle;
}

Wrapping requiredWrapping(OperationContext& context, const KeyKind& kind, const Generation& generation) {
  return {requiredClusterKey(context, clusterKeyFor(kind.wrappedBy), generation),
          context.profile.keyWrapWithPadding};
}

}  // namespace holdfast
