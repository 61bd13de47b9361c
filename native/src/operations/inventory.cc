#include "key_finding.h"
#include "operations/operations.h"
#include "search.h"

namespace holdfast {
namespace {

constexpr size_t kSlice = 256;

std::vector<CK_OBJECT_HANDLE> allObjects(Workplace& workplace) {
  const auto passage = enterShared(workplace, workplace.token.objects());
  requireTime(workplace, bool(passage));
  Search search(workplace.session, nullptr, 0);
  std::vector<CK_OBJECT_HANDLE> all;
  for (auto slice = search.next(kSlice); !slice.empty(); slice = search.next(kSlice)) {
    requireTimeLeft(workplace, FailureKind::kLaneDeadline);
    all.insert(all.end(), slice.begin(), slice.end());
  }
  return all;
}

std::vector<SeenKey> secretKeys(const std::vector<ObjectSummary>& objects) {
  std::vector<SeenKey> keys;
  for (const auto& object : objects) {
    if (object.objectClass == CKO_SECRET_KEY && !object.id.empty())
      keys.push_back({object.id, object.handle});
  }
  return keys;
}

}  // namespace

std::vector<ObjectSummary> takeInventory(Workplace& workplace) {
  std::vector<ObjectSummary> objects;
  for (const CK_OBJECT_HANDLE handle : allObjects(workplace)) {
    requireTimeLeft(workplace, FailureKind::kLaneDeadline);
    if (auto summary = readSummary(workplace.session, handle)) objects.push_back(std::move(*summary));
  }
  // A token that vanished also shows no objects, or fewer of them.
  workplace.token.proveAlive(workplace.session);
  workplace.cache.takeInventory(secretKeys(objects));
  return objects;
}

}  // namespace holdfast
