#include <utility>

#include "key_finding.h"
#include "key_kinds.h"
#include "key_proof.h"
#include "operations/operations.h"
#include "return_values.h"

namespace holdfast {
namespace {

constexpr CK_ULONG kKeyLength = 32;

/// C_GenerateKey (PKCS#11 v2.40 §5.13, CKM_AES_KEY_GEN). Then the key is checked, encrypts its canary and
/// decrypts it again, all through the handle that C_GenerateKey gave. Searching for the key would take time
/// that grows with the token's contents: 35 ms on SoftHSM with 3,000 keys.
///
/// That exactly one object has the CKA_ID (invariant 3) needs no search either. The id is 32 random bytes
/// that were drawn for this key, so no object had it before, and the attributes read through the handle show
/// that this one has it. A second object that is planted later is noticed like that of any other key: by the
/// next inventory, by a probe, and by the first use in the next epoch.
class GenerateKey final : public Operation {
 public:
  GenerateKey(Bytes id, std::string label, Bytes canaryPlaintext, Bytes canaryAdditionalData, Custody custody)
      : custody_(custody) {
    material_.extractable = custody == Custody::kWrapped;
    material_.identity = {CKO_SECRET_KEY, std::move(id)};
    material_.label = std::move(label);
    canary_.plaintext = std::move(canaryPlaintext);
    canary_.additionalData = std::move(canaryAdditionalData);
  }

  Value run(OperationContext& context) override {
    const CK_OBJECT_HANDLE key = make(context);
    requireTimeLeft(context);
    checkNewKey(context, key);
    EncryptedData canary = encryptWith(context, key, canary_.plaintext, canary_.additionalData);
    requireTimeLeft(context);
    canary_.nonce.assign(canary.nonce.begin(), canary.nonce.end());
    canary_.ciphertext = canary.ciphertext;
    material_.knownAnswer = std::move(canary_);
    proveNewKey(context, std::make_shared<const Material>(std::move(material_)), key);
    return canary;
  }

 private:
  /// Makes the key under the exclusive lock, because SoftHSM 2.6.1 fails if objects are made and found at the
  /// same time.
  CK_OBJECT_HANDLE make(OperationContext& context) const {
    const auto lock = lockExclusive(context, context.token.objects());
    requireTime(context, bool(lock));
    context.cache.drop(material_.identity);
    CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
    const bool withCopyable = context.profile.knowsCopyable;
    CK_RV rv = generate(context, withCopyable, made);
    // A v2.20 module that no profile knows answers this, as the standard demands, and has made no key.
    if (withCopyable && returnValue(rv).attributeUnknown) rv = generate(context, false, made);
    check(Function::C_GenerateKey, rv);
    if (made == CK_INVALID_HANDLE) throw badOutput(Function::C_GenerateKey, "the key has no handle");
    return made;
  }

  CK_RV generate(OperationContext& context, bool withCopyable, CK_OBJECT_HANDLE& made) const {
    auto wanted =
        keyTemplate(aesKey(), {material_.identity.id, material_.label}, custody_, withCopyable, kKeyLength);
    CK_MECHANISM mechanism{CKM_AES_KEY_GEN, nullptr, 0};
    return context.functions().C_GenerateKey(context.session.handle(), &mechanism, wanted.data(),
                                             wanted.size(), &made);
  }

  /// No one else has had the key, so any deviation from the template is the token's doing.
  void checkNewKey(OperationContext& context, CK_OBJECT_HANDLE key) const {
    try {
      checkAttributes(context, key, material_);
    } catch (const Failure& failure) {
      if (failure.kind != FailureKind::kMaterialMismatch) throw;
      throw badOutput(Function::C_GenerateKey, "the key is not as requested: " + failure.detail);
    }
  }

  /// The material as the catalog will record it, once it has the canary.
  Material material_;
  DecryptionCanary canary_;
  const Custody custody_;
};

}  // namespace

OperationPointer makeGenerateKey(Bytes id, std::string label, Bytes canaryPlaintext,
                                 Bytes canaryAdditionalData, Custody custody) {
  return std::make_unique<GenerateKey>(std::move(id), std::move(label), std::move(canaryPlaintext),
                                       std::move(canaryAdditionalData), custody);
}

}  // namespace holdfast
