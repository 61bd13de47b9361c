#include <utility>

#include "key_finding.h"
#include "operations/operations.h"

namespace holdfast {
namespace {

/// The first encryption under a key just made: found, checked, without a canary yet.
class SealCanary final : public Operation {
 public:
  SealCanary(Bytes id, std::string label, Secret plaintext, Bytes additionalData)
      : id_(std::move(id)),
        label_(std::move(label)),
        plaintext_(std::move(plaintext)),
        additionalData_(std::move(additionalData)) {}

  Value run(Workplace& workplace) override {
    const CK_OBJECT_HANDLE key = findOneSecretKey(workplace, id_, Finding::kInTurn);
    checkAttributes(workplace, key, {id_, label_, false});
    return seal(workplace, key, plaintext_.view(), additionalData_);
  }

 private:
  Bytes id_;
  std::string label_;
  Secret plaintext_;
  Bytes additionalData_;
};

}  // namespace

OperationPointer makeSealCanary(Bytes id, std::string label, Secret plaintext, Bytes additionalData) {
  return std::make_unique<SealCanary>(std::move(id), std::move(label), std::move(plaintext),
                                      std::move(additionalData));
}

}  // namespace holdfast
