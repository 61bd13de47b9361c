/// \file C_WrapKey: out under a key of one's own, by another mechanism, or under another trusted key.
#include "attack.h"
#include "own_keys.h"

namespace extraction {
namespace {

const std::set<Kind>& secretKinds() {
  static const std::set<Kind> kinds{Kind::kAes, Kind::kGenericSecret};
  return kinds;
}

Gain underOwnAes(const Scene& scene) {
  return keyIf(scene.target.answer.isIn(wrappedUnder(scene, createAes(scene, false), scene.key())));
}

Gain underOwnRsa(const Scene& scene) {
  return keyIf(scene.target.answer.isIn(wrappedUnder(scene, scene.ownPair, scene.key())));
}

Gain underOwnUnwrapped(const Scene& scene) {
  return keyIf(scene.target.answer.isIn(wrappedUnder(scene, unwrapAes(scene, false), scene.key())));
}

Gain wrappingKeyUnderOwn(const Scene& scene) {
  const Bytes value = wrappedUnder(scene, createAes(scene, false), scene.wrappingKey());
  if (value.size() != 32) return Gain::kNothing;
  return keyIf(scene.target.answer.isIn(blobUnwrappedBy(scene, decryptionWith(value))));
}

/// The wrapping key comes back as an ordinary AES key that decrypts.
Gain wrappingKeyUnderItself(const Scene& scene) {
  const auto wrappingKey = scene.wrappingKey();
  const Bytes blob = scene.session.wrap(scene.keyWrapMechanism(), wrappingKey, wrappingKey);
  auto values = scene.replica();
  values.number(CKA_KEY_TYPE, CKK_AES).flag(CKA_DECRYPT, true).flag(CKA_SIGN, false);
  const auto back = scene.unwrap(blob, values);
  return keyIf(scene.target.answer.isIn(blobUnwrappedBy(scene, decryptionOracle(scene, back))));
}

Gain wrapBy(const Scene& scene, const Mechanism& mechanism) {
  return misuseIf(!scene.session.wrap(mechanism, scene.wrappingKey(), scene.key()).empty());
}

Gain byCbc(const Scene& scene) { return wrapBy(scene, Mechanism::withIv(CKM_AES_CBC, Bytes(16))); }
Gain byCbcPad(const Scene& scene) { return wrapBy(scene, Mechanism::withIv(CKM_AES_CBC_PAD, Bytes(16))); }
Gain byEcb(const Scene& scene) { return wrapBy(scene, Mechanism(CKM_AES_ECB)); }
Gain byKeyWrap(const Scene& scene) { return wrapBy(scene, Mechanism(CKM_AES_KEY_WRAP)); }
Gain byGcm(const Scene& scene) { return wrapBy(scene, Mechanism::aesGcm(Bytes(12))); }

/// A replica as a secret of another type, with that type's use.
Template ofOtherType(const Scene& scene) {
  const bool becomesAes = scene.target.kind == Kind::kGenericSecret;
  auto values = scene.replica();
  values.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, becomesAes ? CKK_AES : CKK_GENERIC_SECRET);
  values.flags({CKA_WRAP, CKA_UNWRAP, CKA_DERIVE}, false);
  return values.flag(CKA_DECRYPT, becomesAes).flag(CKA_SIGN, !becomesAes);
}

/// Each kind of key has a wrapping key of its own. Under another kind's, the blob comes back as another type.
/// (Under another generation's of the same kind it does not.)
Gain underOtherKind(const Scene& scene) {
  const auto key = scene.key();
  std::optional<Refused> refusal;
  for (const auto other : scene.otherWrappingKeys()) {
    try {
      const Bytes blob = scene.session.wrap(scene.keyWrapMechanism(), other, key);
      scene.session.unwrap(scene.keyWrapMechanism(), other, blob, ofOtherType(scene));
      return Gain::kMisuse;
    } catch (const Refused& error) {
      refusal = error;
    }
  }
  if (!refusal) throw NotTried("there is no other trusted key");
  throw Refused(refusal->function, refusal->rv);
}

/// Clulow's wrap and decrypt, with the key itself in both roles.
Gain underTheKeyItself(const Scene& scene) {
  const auto key = scene.key();
  const Bytes blob = scene.session.wrap(scene.keyWrapMechanism(), key, key);
  const auto recovered = unwrapBlob(decryptionOracle(scene, key), blob);
  return keyIf(recovered && scene.target.answer.isIn(*recovered));
}

}  // namespace

std::vector<Attack> wrappingAttacks() {
  return {
      {"wrap-under-own-aes", "C_WrapKey under one's own AES key", underOwnAes, allKinds()},
      {"wrap-under-own-rsa", "C_WrapKey under one's own RSA public key", underOwnRsa, secretKinds()},
      {"wrap-under-own-unwrapped", "C_WrapKey under an AES key that one unwrapped oneself", underOwnUnwrapped,
       allKinds()},
      {"wrap-wrapping-key-under-own", "C_WrapKey of the wrapping key under one's own", wrappingKeyUnderOwn,
       allKinds()},
      {"wrap-wrapping-key-under-itself",
       "C_WrapKey of the wrapping key under itself, unwrap it with CKA_DECRYPT, decrypt the blob",
       wrappingKeyUnderItself, allKinds()},
      {"wrap-by-cbc", "C_WrapKey under the wrapping key by CKM_AES_CBC", byCbc, secretKinds()},
      {"wrap-by-cbc-pad", "C_WrapKey under the wrapping key by CKM_AES_CBC_PAD", byCbcPad, allKinds()},
      {"wrap-by-ecb", "C_WrapKey under the wrapping key by CKM_AES_ECB", byEcb, secretKinds()},
      {"wrap-by-key-wrap", "C_WrapKey under the wrapping key by CKM_AES_KEY_WRAP", byKeyWrap, secretKinds()},
      {"wrap-by-gcm", "C_WrapKey under the wrapping key by CKM_AES_GCM", byGcm, allKinds()},
      {"wrap-under-other-kind",
       "C_WrapKey under the wrapping key of another kind, then C_UnwrapKey as that kind", underOtherKind,
       allKinds()},
      {"wrap-and-decrypt", "C_WrapKey of the key under itself, then C_Decrypt with it (Clulow)",
       underTheKeyItself},
  };
}

}  // namespace extraction
