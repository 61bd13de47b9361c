#include "key_finding.h"
#include "operations/operations.h"
#include "search.h"
#include "search_proof.h"
#include "self_test.h"

namespace holdfast {
namespace {

constexpr size_t kObjectsInSlice = 256;

[[nodiscard]] std::vector<CK_OBJECT_HANDLE> allObjects(OperationContext& context) {
  const auto lock = lockShared(context, context.token.objects());
  requireTime(context, bool(lock));
  Search search(context.session, nullptr, 0);
  std::vector<CK_OBJECT_HANDLE> all;
  for (auto slice = search.next(kObjectsInSlice); !slice.empty(); slice = search.next(kObjectsInSlice)) {
    requireTimeLeft(context, FailureKind::kLaneDeadline);
    all.insert(all.end(), slice.begin(), slice.end());
  }
  return all;
}

/// Materials are secret keys, so other objects need no handle.
bool couldBeMaterial(const ObjectSummary& object) {
  return object.objectClass == CKO_SECRET_KEY && !object.id.empty();
}

std::vector<SeenKey> keysAmong(const std::vector<ObjectSummary>& objects) {
  std::vector<SeenKey> keys;
  for (const auto& object : objects) {
    if (couldBeMaterial(object)) keys.push_back({{object.objectClass, object.id}, object.handle});
  }
  return keys;
}

/// Throws if the HSM cannot read even an object made for this test. Some objects are unreadable because they
/// were never completed, but an HSM that reads none would make all keys seem to be missing.
void requireReading(OperationContext& context, CK_OBJECT_HANDLE unread) {
  if (readsSessionKey(context)) return;
  static_cast<void>(readKeyAttributes(context.session, unread));
  throw failure(FailureKind::kLookUpFailed, "no object could be read");
}

}  // namespace

std::vector<ObjectSummary> takeInventory(OperationContext& context) {
  std::vector<ObjectSummary> objects;
  // Before the search: a key that is made meanwhile is no witness.
  const auto known = context.cache.knownKeys(Search::kMostObjects);
  const auto handles = allObjects(context);
  for (const CK_OBJECT_HANDLE handle : handles) {
    requireTimeLeft(context, FailureKind::kLaneDeadline);
    if (auto summary = readSummary(context.session, handle)) objects.push_back(std::move(*summary));
  }
  if (objects.empty() && !handles.empty()) requireReading(context, handles.front());
  // A token that vanished also shows no objects, or fewer of them.
  context.token.proveAlive(context.session);
  requireListed(context, known, objects);
  context.cache.takeInventory(keysAmong(objects));
  return objects;
}

}  // namespace holdfast
