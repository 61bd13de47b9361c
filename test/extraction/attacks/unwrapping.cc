/// \file C_UnwrapKey of the key's blob with weaker attributes, or as another type.
#include "attack.h"
#include "own_keys.h"

namespace extraction {
namespace {

Gain readUnwrapped(const Scene& scene, const Template& values) {
  return keyIf(scene.target.answer.isIn(scene.session.get(scene.unwrapBlob(values), CKA_VALUE)));
}

Gain readable(const Scene& scene) { return readUnwrapped(scene, scene.replica().flag(CKA_SENSITIVE, false)); }

Gain withoutWrapWithTrusted(const Scene& scene) {
  const auto replica = scene.unwrapBlob(scene.replica().flag(CKA_WRAP_WITH_TRUSTED, false));
  return keyIf(scene.target.answer.isIn(wrappedUnder(scene, createAes(scene, false), replica)));
}

/// What the template leaves open, the attributes that follow may still close: CKA_MODIFIABLE is asked for.
Gain thenWeakened(const Scene& scene) {
  const auto replica = scene.unwrapBlob(scene.replica().flag(CKA_MODIFIABLE, true));
  scene.session.set(replica, Template().flag(CKA_WRAP_WITH_TRUSTED, false));
  return keyIf(scene.target.answer.isIn(wrappedUnder(scene, createAes(scene, false), replica)));
}

Gain thenCopied(const Scene& scene) {
  const auto replica = scene.unwrapBlob(scene.replica().flag(CKA_COPYABLE, true));
  const auto copy = scene.session.copy(replica, Template().flag(CKA_SENSITIVE, false));
  return keyIf(scene.target.answer.isIn(scene.session.get(copy, CKA_VALUE)));
}

/// A trusted replica that decrypts takes the key out under itself.
Gain trusted(const Scene& scene) {
  const auto values = scene.replica().flags({CKA_TRUSTED, CKA_WRAP, CKA_DECRYPT}, true);
  const auto replica = scene.unwrapBlob(values);
  const Bytes blob = scene.session.wrap(scene.keyWrapMechanism(), replica, scene.key());
  const auto recovered = unwrapBlob(decryptionOracle(scene, replica), blob);
  return keyIf(recovered && scene.target.answer.isIn(*recovered));
}

/// Without a PIN this decrypts; as a token object it is a back door that outlives every PIN.
Gain publicReplica(const Scene& scene) {
  const auto replica = scene.unwrapBlob(scene.replica().flag(CKA_PRIVATE, false));
  if (scene.target.kind != Kind::kAes) return Gain::kMisuse;
  return misuseIf(scene.target.answer.isDecryptedBy(scene.session, replica));
}

/// The rightful replica, as a private object.
Gain withoutPin(const Scene& scene) {
  scene.unwrapBlob(scene.replica().flag(CKA_PRIVATE, true));
  return Gain::kMisuse;
}

Template genericSecret(const Scene& scene) {
  auto values = scene.replica();
  values.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
  return values.flag(CKA_DECRYPT, false).flag(CKA_SIGN, true);
}

/// What a private key's blob shows is PKCS#8.
Gain readableSecret(const Scene& scene) {
  return readUnwrapped(scene, genericSecret(scene).flag(CKA_SENSITIVE, false));
}

Gain secretThatSigns(const Scene& scene) {
  const auto replica = scene.unwrapBlob(genericSecret(scene));
  return misuseIf(!scene.session.sign(Mechanism(CKM_SHA256_HMAC), replica, Bytes(16)).empty());
}

Template secretOfType(const Scene& scene, CK_KEY_TYPE type) {
  auto values = scene.replica();
  values.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, type);
  return values.flag(CKA_SIGN, false).flags({CKA_ENCRYPT, CKA_DECRYPT}, true);
}

/// Key-binding: under a cipher with a shorter key a part of it falls to a search.
Gain boundTo(const Scene& scene, CK_KEY_TYPE type) {
  scene.unwrapBlob(secretOfType(scene, type));
  return Gain::kMisuse;
}

Gain asTripleDes(const Scene& scene) { return boundTo(scene, CKK_DES3); }
Gain asDes(const Scene& scene) { return boundTo(scene, CKK_DES); }

Gain asAes(const Scene& scene) {
  const auto replica = scene.unwrapBlob(secretOfType(scene, CKK_AES));
  return misuseIf(!scene.session.encrypt(Mechanism(CKM_AES_ECB), replica, Bytes(16)).empty());
}

/// A replica with a use that no KMS key of its kind has.
Gain withUse(const Scene& scene, CK_ATTRIBUTE_TYPE use) {
  const auto replica = scene.unwrapBlob(scene.replica().flag(use, true));
  return misuseIf(scene.session.get(replica, use) == Bytes{CK_TRUE});
}

Gain toWrap(const Scene& scene) { return withUse(scene, CKA_WRAP); }
Gain toUnwrap(const Scene& scene) { return withUse(scene, CKA_UNWRAP); }

}  // namespace

std::vector<Attack> unwrappingAttacks() {
  const std::set<Kind> others{Kind::kGenericSecret};
  const std::set<Kind> secrets{Kind::kAes, Kind::kGenericSecret};
  return {
      {"unwrap-readable", "C_UnwrapKey of the blob with CKA_SENSITIVE=false", readable, allKinds()},
      {"unwrap-wrappable",
       "C_UnwrapKey of the blob with CKA_WRAP_WITH_TRUSTED=false, then wrap it under one's own",
       withoutWrapWithTrusted, allKinds()},
      {"unwrap-then-set", "C_UnwrapKey with CKA_MODIFIABLE, then clear CKA_WRAP_WITH_TRUSTED", thenWeakened,
       allKinds()},
      {"unwrap-then-copy", "C_UnwrapKey with CKA_COPYABLE, then copy with CKA_SENSITIVE=false", thenCopied,
       allKinds()},
      {"unwrap-trusted",
       "C_UnwrapKey of the blob with CKA_TRUSTED=true, then wrap the key under it and decrypt", trusted},
      {"unwrap-public", "C_UnwrapKey of the blob with CKA_PRIVATE=false", publicReplica, allKinds()},
      {"unwrap-without-pin", "C_UnwrapKey of the blob as a private object, without a login", withoutPin,
       allKinds(), false, true},
      {"unwrap-as-readable-secret", "C_UnwrapKey of the blob as a generic secret with CKA_SENSITIVE=false",
       readableSecret, allKinds()},
      {"unwrap-as-signing-secret",
       "C_UnwrapKey of the blob as a generic secret, then compute MACs",
       secretThatSigns,
       {Kind::kAes, Kind::kPrivate}},
      {"unwrap-as-des3", "C_UnwrapKey of the blob as DES3 (key-binding)", asTripleDes, secrets},
      {"unwrap-as-des", "C_UnwrapKey of the blob as DES (key-binding)", asDes, secrets},
      {"unwrap-as-aes", "C_UnwrapKey of the blob as AES, then encrypt", asAes, others},
      {"unwrap-to-wrap", "C_UnwrapKey of the blob with CKA_WRAP", toWrap, secrets},
      {"unwrap-to-unwrap", "C_UnwrapKey of the blob with CKA_UNWRAP", toUnwrap, allKinds()},
  };
}

}  // namespace extraction
