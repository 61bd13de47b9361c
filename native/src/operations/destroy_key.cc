#include <unordered_set>
#include <utility>

#include "attributes.h"
#include "key_finding.h"
#include "operations/operations.h"
#include "search_proof.h"

namespace holdfast {
namespace {

constexpr size_t kSlice = 64;
/// More objects than anyone gives one CKA_ID by mistake or malice. Without this limit, a token that keeps
/// showing more objects would hold the exclusive lock for ever. The next clean-up continues where this one
/// stopped.
constexpr size_t kMostDestroyed = 1024;

/// C_DestroyObject (PKCS#11 v2.40 §5.7) on every object with this class and CKA_ID.
class DestroyKey final : public Operation {
 public:
  explicit DestroyKey(ObjectIdentity doomed) : doomed_(std::move(doomed)) {}

  Value run(OperationContext& context) override {
    const auto lock = lockExclusive(context, context.token.objects());
    requireTime(context, bool(lock));
    const auto known = context.cache.entry(doomed_)->candidate();
    context.cache.entry(doomed_)->revokeProof();
    // Each pass finds what the previous one left, so no number of duplicates survives.
    for (auto handles = find(context); !handles.empty(); handles = find(context)) {
      for (const CK_OBJECT_HANDLE handle : handles) destroy(context, handle);
    }
    for (const CK_OBJECT_HANDLE handle : destroyed_) requireGone(context, handle);
    if (known) requireGone(context, *known);
    requireNothingFound(context, doomed_);
    context.cache.drop(doomed_);
    return uint64_t(destroyed_.size());
  }

 private:
  std::vector<CK_OBJECT_HANDLE> find(OperationContext& context) const {
    requireTimeLeft(context);
    return findObjects(context, doomed_, kSlice);
  }

  void destroy(OperationContext& context, CK_OBJECT_HANDLE handle) {
    if (!destroyed_.insert(handle).second)
      throw badOutput(Function::C_DestroyObject, "an object still exists after it was destroyed");
    if (destroyed_.size() > kMostDestroyed)
      throw badOutput(Function::C_FindObjects, "the objects with one CKA_ID do not end");
    requireTimeLeft(context);
    requireFound(context, doomed_, handle);
    auto& functions = context.functions();
    check(Function::C_DestroyObject, functions.C_DestroyObject(context.session.handle(), handle));
  }

  /// A search that finds nothing proves nothing, so this reads the object itself.
  void requireGone(OperationContext& context, CK_OBJECT_HANDLE handle) const {
    requireTimeLeft(context);
    const auto read = readSummary(context.session, handle);
    if (read && read->isOf(doomed_))
      throw badOutput(destroyed_.contains(handle) ? Function::C_DestroyObject : Function::C_FindObjects,
                      "a destroyed object still exists, although no search finds it");
  }

  ObjectIdentity doomed_;
  std::unordered_set<CK_OBJECT_HANDLE> destroyed_;
};

}  // namespace

OperationPointer makeDestroyKey(ObjectIdentity doomed) {
  return std::make_unique<DestroyKey>(std::move(doomed));
}

}  // namespace holdfast
