#include <utility>

#include "key_finding.h"
#include "operations/operations.h"
#include "search_proof.h"

namespace holdfast {
namespace {

constexpr size_t kMostObjects = 64;

/// The attributes of every object with this class and CKA_ID.
class ReadAttributes final : public Operation {
 public:
  explicit ReadAttributes(ObjectIdentity wanted) : wanted_(std::move(wanted)) {}

  Value run(OperationContext& context) override {
    std::vector<KeyAttributes> attributes;
    const auto lock = lockShared(context, context.token.objects());
    requireTime(context, bool(lock));
    const auto handles = findObjects(context, wanted_, kMostObjects);
    if (handles.empty()) requireNothingFound(context, wanted_);
    attributes.reserve(handles.size());
    for (const CK_OBJECT_HANDLE handle : handles) {
      requireTimeLeft(context);
      attributes.push_back(readKeyAttributes(context.session, handle));
    }
    return attributes;
  }

 private:
  ObjectIdentity wanted_;
};

}  // namespace

OperationPointer makeReadAttributes(ObjectIdentity wanted) {
  return std::make_unique<ReadAttributes>(std::move(wanted));
}

}  // namespace holdfast
