#include <string_view>
#include <utility>

#include "gcm.h"
#include "key_finding.h"
#include "operations/operations.h"
#include "return_values.h"

namespace holdfast {
namespace {

Failure callerFault(Failure failure) {
  failure.callerFault = true;
  return failure;
}

/// AES-GCM under a proven key; decides whose fault a failure is (design invariant 5).
class Decrypt final : public Operation {
 public:
  Decrypt(MaterialPointer material, Bytes nonce, Bytes ciphertext, Bytes additionalData)
      : material_(std::move(material)),
        nonce_(std::move(nonce)),
        ciphertext_(std::move(ciphertext)),
        additionalData_(std::move(additionalData)) {}

  Value run(Workplace& workplace) override {
    if (ciphertext_.size() < kTagLength) throw callerFault(rvFailure("", CKR_ENCRYPTED_DATA_LEN_RANGE));
    workplace.profile.requireFits(ciphertext_.size() - kTagLength);
    return withProvenKey(workplace, material_,
                         [&](const ProvenKey& key) { return decryptWith(workplace, key); });
  }

  bool isRepeatable() const override { return true; }

 private:
  Secret decryptWith(Workplace& workplace, const ProvenKey& key) {
    try {
      return gcmDecrypt(workplace.session, key.handle, nonce_, additionalData_, ciphertext_);
    } catch (const Failure& failure) {
      const bool byCiphertext = std::string_view(failure.functionName) == "C_Decrypt" &&
                                workplace.profile.maySpeakOfCiphertext(failure.rv);
      if (!byCiphertext) throw;
      // A wrong key under the handle looks like a wrong tag: only a canary that decrypts puts the blame on
      // the caller.
      confirmCanary(workplace, material_, key);
      throw callerFault(failure);
    }
  }

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
