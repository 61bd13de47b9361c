#include <utility>

#include "key_finding.h"
#include "operations/operations.h"

namespace holdfast {
namespace {

constexpr size_t kMostObjects = 64;

/// The attributes of every secret key with this CKA_ID.
class ReadAttributes final : public Operation {
 public:
  explicit ReadAttributes(Bytes id) : id_(std::move(id)) {}

  Value run(OperationContext& context) override {
    std::vector<KeyAttributes> attributes;
    const auto handles = findSecretKeysInTurn(context, id_, kMostObjects);
    if (handles.empty()) context.token.proveAlive(context.session);
    attributes.reserve(handles.size());
    for (const CK_OBJECT_HANDLE handle : handles) {
      requireTimeLeft(context);
      attributes.push_back(readKeyAttributes(context.session, handle));
    }
    return attributes;
  }

 private:
  Bytes id_;
};

}  // namespace

OperationPointer makeReadAttributes(Bytes id) { return std::make_unique<ReadAttributes>(std::move(id)); }

}  // namespace holdfast
