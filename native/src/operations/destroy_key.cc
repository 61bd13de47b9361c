#include <utility>

#include "key_finding.h"
#include "operations/operations.h"

namespace holdfast {
namespace {

constexpr size_t kSlice = 64;

/// C_DestroyObject (PKCS#11 v2.40 §5.7) on every secret key with this CKA_ID.
class DestroyKey final : public Operation {
 public:
  explicit DestroyKey(Bytes id) : id_(std::move(id)) {}

  Value run(Workplace& workplace) override {
    const auto passage = enterExclusive(workplace, workplace.token.objects());
    requireTime(workplace, bool(passage));
    workplace.cache.drop(id_);
    uint64_t destroyed = 0;
    // Each pass finds what the one before left, so that no number of duplicates survives.
    for (auto handles = find(workplace); !handles.empty(); handles = find(workplace)) {
      for (const CK_OBJECT_HANDLE handle : handles) destroyed += destroy(workplace, handle);
    }
    // "None left" counts only from a token that is alive (design invariant 4).
    workplace.token.proveAlive(workplace.session);
    return destroyed;
  }

 private:
  std::vector<CK_OBJECT_HANDLE> find(Workplace& workplace) const {
    return findSecretKeys(workplace, id_, kSlice);
  }

  static uint64_t destroy(Workplace& workplace, CK_OBJECT_HANDLE handle) {
    auto& functions = workplace.functions();
    check("C_DestroyObject", functions.C_DestroyObject(workplace.session.handle(), handle));
    return 1;
  }

  Bytes id_;
};

}  // namespace

OperationPointer makeDestroyKey(Bytes id) { return std::make_unique<DestroyKey>(std::move(id)); }

}  // namespace holdfast
