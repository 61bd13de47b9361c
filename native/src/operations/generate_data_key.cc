#include <utility>

#include "operations/operations.h"
#include "random.h"

namespace holdfast {
namespace {

/// Random bytes of the token, returned in plain text and encrypted, in one crossing of the seam.
class GenerateDataKey final : public Operation {
 public:
  GenerateDataKey(MaterialPointer material, size_t length, Bytes additionalData)
      : material_(std::move(material)), length_(length), additionalData_(std::move(additionalData)) {}

  Value run(OperationContext& context) override {
    context.profile.requireFits(length_);
    Secret plaintext = drawSecret(context, length_);
    auto encrypted = encryptUnder(context, material_, plaintext.view(), additionalData_);
    return DataKey{std::move(encrypted), std::move(plaintext)};
  }

  bool isRepeatable() const override { return true; }

 private:
  MaterialPointer material_;
  size_t length_;
  Bytes additionalData_;
};

}  // namespace

OperationPointer makeGenerateDataKey(MaterialPointer material, size_t length, Bytes additionalData) {
  return std::make_unique<GenerateDataKey>(std::move(material), length, std::move(additionalData));
}

}  // namespace holdfast
