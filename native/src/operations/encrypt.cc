#include <utility>

#include "operations/operations.h"

namespace holdfast {
namespace {

/// AES-GCM under a proven key.
class Encrypt final : public Operation {
 public:
  Encrypt(MaterialPointer material, Secret plaintext, Bytes additionalData)
      : material_(std::move(material)),
        plaintext_(std::move(plaintext)),
        additionalData_(std::move(additionalData)) {}

  Value run(OperationContext& context) override {
    context.profile.requireFits(plaintext_.size());
    return encryptUnder(context, material_, plaintext_.view(), additionalData_);
  }

  bool isRepeatable() const override { return true; }

 private:
  MaterialPointer material_;
  Secret plaintext_;
  Bytes additionalData_;
};

}  // namespace

OperationPointer makeEncrypt(MaterialPointer material, Secret plaintext, Bytes additionalData) {
  return std::make_unique<Encrypt>(std::move(material), std::move(plaintext), std::move(additionalData));
}

}  // namespace holdfast
