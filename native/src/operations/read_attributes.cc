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

  Value run(Workplace& workplace) override {
    std::vector<KeyAttributes> attributes;
    const auto handles = findSecretKeysInTurn(workplace, id_, kMostObjects);
    if (handles.empty()) workplace.token.proveAlive(workplace.session);
    attributes.reserve(handles.size());
    for (const CK_OBJECT_HANDLE handle : handles) {
      requireTimeLeft(workplace);
      attributes.push_back(readKeyAttributes(workplace.session, handle));
    }
    return attributes;
  }

 private:
  Bytes id_;
};

}  // namespace

OperationPointer makeReadAttributes(Bytes id) { return std::make_unique<ReadAttributes>(std::move(id)); }

}  // namespace holdfast
