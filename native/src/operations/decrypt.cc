#include <utility>

#include "gcm.h"
#include "key_trouble.h"
#include "operations/operations.h"

namespace holdfast {
namespace {

[[nodiscard]] Failure tooShort() {
  auto failure = rvFailure(Function::kNone, CKR_ENCRYPTED_DATA_LEN_RANGE);
  failure.callerFault = true;
  return failure;
}

/// AES-GCM under a proven key.
class Decrypt final : public Operation {
 public:
  Decrypt(MaterialPointer material, Bytes nonce, Bytes ciphertext, Bytes additionalData)
      : material_(std::move(material)),
        nonce_(std::move(nonce)),
        ciphertext_(std::move(ciphertext)),
        additionalData_(std::move(additionalData)) {}

  Value run(OperationContext& context) override {
    if (ciphertext_.size() < kTagLength) throw tooShort();
    context.profile.requireFits(ciphertext_.size() - kTagLength);
    return withProvenKey(context, material_, [&](const ProvenKey& key) {
      return gcmDecrypt(context.session, key.handle, nonce_, additionalData_, ciphertext_);
    });
  }

  bool isRepeatable() const override { return true; }

 private:
  MaterialPointer material_;
  Bytes nonce_;
  Bytes ciphertext_;
  Bytes additionalData_;
};

}  // namespace

OperationPointer makeDecrypt(MaterialPointer material, Bytes nonce, Bytes ciphertext, Bytes additionalData) {
  return std::make_unique<Decrypt>(std::move(material), std::move(nonce), std::move(ciphertext),
                                   std::move(additionalData));
}

}  // namespace holdfast
