#include <utility>

#include "key_finding.h"
#include "key_kinds.h"
#include "key_proof.h"
#include "operations/operations.h"
#include "return_values.h"
#include "signing_answers.h"

namespace holdfast {
namespace {

constexpr CK_ULONG kAesKeyLength = 32;

/// C_GenerateKey (PKCS#11 v2.40 §5.13). Then the key is checked, gives its known answer and proves itself by
/// it, all through the handle that C_GenerateKey gave. Searching for the key would take time that grows with
/// the token's contents: 35 ms on SoftHSM with 3,000 keys.
///
/// That exactly one object has the CKA_ID (invariant 3) needs no search either. The id is 32 random bytes
/// that were drawn for this key, so no object had it before, and the attributes read through the handle show
/// that this one has it. A second object that is planted later is noticed like that of any other key: by the
/// next inventory, by a probe, and by the first use in the next epoch.
class NewSecretKey {
 public:
  /// `mechanism` makes keys of this kind; `length` in bytes.
  NewSecretKey(const KeyKind& kind, CK_MECHANISM_TYPE mechanism, CK_ULONG length, KeyName name,
               Custody custody)
      : kind_(kind), mechanism_(mechanism), length_(length), name_(std::move(name)), custody_(custody) {}

  /// Makes the key under the exclusive lock, because SoftHSM 2.6.1 fails if objects are made and found at the
  /// same time.
  [[nodiscard]] CK_OBJECT_HANDLE make(OperationContext& context) const {
    const auto lock = lockExclusive(context, context.token.objects());
    requireTime(context, bool(lock));
    context.cache.drop({kind_.objectClass, name_.id});
    CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
    const bool withCopyable = context.profile.knowsCopyable;
    CK_RV rv = generate(context, withCopyable, made);
    // A v2.20 module that no profile knows answers this, as the standard demands, and has made no key.
    if (withCopyable && returnValue(rv).attributeUnknown) rv = generate(context, false, made);
    check(Function::C_GenerateKey, rv);
    if (made == CK_INVALID_HANDLE) throw badOutput(Function::C_GenerateKey, "the key has no handle");
    return made;
  }

  /// Checks the key and proves it by the answer that it has just given.
  void prove(OperationContext& context, CK_OBJECT_HANDLE key, KnownAnswer answer) const {
    const Material material = materialWith(std::move(answer));
    proveNewKey(context, std::make_shared<const Material>(material), key);
  }

  /// No one else has had the key, so any deviation from the template is the token's doing. `answer` says only
  /// which kind of key is expected.
  void requireAsRequested(OperationContext& context, CK_OBJECT_HANDLE key, KnownAnswer answer) const {
    try {
      checkAttributes(context, key, materialWith(std::move(answer)));
    } catch (const Failure& failure) {
      if (failure.kind != FailureKind::kMaterialMismatch) throw;
      throw badOutput(Function::C_GenerateKey, "the key is not as requested: " + failure.detail);
    }
  }

 private:
  CK_RV generate(OperationContext& context, bool withCopyable, CK_OBJECT_HANDLE& made) const {
    auto wanted = keyTemplate(kind_, name_, custody_, withCopyable, length_);
    CK_MECHANISM mechanism{mechanism_, nullptr, 0};
    return context.functions().C_GenerateKey(context.session.handle(), &mechanism, wanted.data(),
                                             wanted.size(), &made);
  }

  /// The material as the catalog will record it.
  Material materialWith(KnownAnswer answer) const {
    return {{kind_.objectClass, name_.id}, name_.label, custody_ == Custody::kWrapped, std::move(answer)};
  }

  const KeyKind& kind_;
  const CK_MECHANISM_TYPE mechanism_;
  const CK_ULONG length_;
  const KeyName name_;
  const Custody custody_;
};

/// By CKM_AES_KEY_GEN, proved by a canary that it encrypts.
class GenerateKey final : public Operation {
 public:
  GenerateKey(KeyName name, Bytes canaryPlaintext, Bytes canaryAdditionalData, Custody custody)
      : key_(aesKey(), CKM_AES_KEY_GEN, kAesKeyLength, std::move(name), custody) {
    canary_.plaintext = std::move(canaryPlaintext);
    canary_.additionalData = std::move(canaryAdditionalData);
  }

  Value run(OperationContext& context) override {
    const CK_OBJECT_HANDLE key = key_.make(context);
    requireTimeLeft(context);
    key_.requireAsRequested(context, key, canary_);
    EncryptedData canary = encryptWith(context, key, canary_.plaintext, canary_.additionalData);
    requireTimeLeft(context);
    canary_.nonce.assign(canary.nonce.begin(), canary.nonce.end());
    canary_.ciphertext = canary.ciphertext;
    key_.prove(context, key, std::move(canary_));
    return canary;
  }

 private:
  const NewSecretKey key_;
  DecryptionCanary canary_;
};

/// By CKM_GENERIC_SECRET_KEY_GEN, proved by the MAC that it makes of the empty message.
class GenerateMacKey final : public Operation {
 public:
  GenerateMacKey(KeyName name, size_t length, Custody custody)
      : key_(hmacKey(), CKM_GENERIC_SECRET_KEY_GEN, length, std::move(name), custody), length_(length) {}

  Value run(OperationContext& context) override {
    const CK_OBJECT_HANDLE key = key_.make(context);
    requireTimeLeft(context);
    key_.requireAsRequested(context, key, KnownMac{});
    KnownMac known = knownMacOf(context.session, key, length_);
    requireTimeLeft(context);
    Bytes mac = known.mac;
    key_.prove(context, key, std::move(known));
    return mac;
  }

 private:
  const NewSecretKey key_;
  const size_t length_;
};

}  // namespace

OperationPointer makeGenerateKey(Bytes id, std::string label, Bytes canaryPlaintext,
                                 Bytes canaryAdditionalData, Custody custody) {
  return std::make_unique<GenerateKey>(KeyName{std::move(id), std::move(label)}, std::move(canaryPlaintext),
                                       std::move(canaryAdditionalData), custody);
}

OperationPointer makeGenerateMacKey(Bytes id, std::string label, size_t length, Custody custody) {
  return std::make_unique<GenerateMacKey>(KeyName{std::move(id), std::move(label)}, length, custody);
}

}  // namespace holdfast
