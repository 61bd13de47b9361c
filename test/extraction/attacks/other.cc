/// \file What fits nowhere else: use without a PIN, a planted namesake, a carry key that was left behind.
#include "attack.h"
#include "own_keys.h"

namespace extraction {
namespace {

Gain useWithoutPin(const Scene& scene) {
  if (scene.target.kind == Kind::kAes) {
    return misuseIf(scene.target.answer.isDecryptedBy(scene.session, scene.key()));
  }
  const bool signsDigests = scene.target.kind == Kind::kPrivate;
  const Mechanism mechanism(signsDigests ? CKM_ECDSA : CKM_SHA256_HMAC);
  return misuseIf(!scene.session.sign(mechanism, scene.key(), Bytes(32)).empty());
}

/// A MAC under the key by a mechanism that the service never uses.
Gain signWithKey(const Scene& scene) {
  return misuseIf(!scene.session.sign(Mechanism(CKM_AES_CMAC), scene.key(), Bytes(16)).empty());
}

/// Anyone with the PIN can make an object of the same name; it must not change or show the key. (That nobody
/// encrypts under it is the service's part: exactly one object, and the canary.)
Gain plantNamesake(const Scene& scene) {
  const auto key = scene.key();
  auto values = ownAesTemplate(scene, false).bytes(CKA_ID, scene.target.id);
  scene.session.create(values.bytes(CKA_VALUE, Bytes(32, 0x42)));
  if (!scene.target.answer.isDecryptedBy(scene.session, key)) return Gain::kMisuse;
  for (const auto object : findById(scene.session, scene.target.id, CKO_SECRET_KEY)) {
    try {
      if (scene.target.answer.isIn(scene.session.get(object, CKA_VALUE))) return Gain::kKey;
    } catch (const Refused&) {
      // The key itself, which stays as unreadable as it was.
    }
  }
  return Gain::kNothing;
}

Bytes readCarried(const Scene& scene, CK_OBJECT_HANDLE carryKey) {
  auto values = ownAesTemplate(scene, false);
  const auto carried =
      scene.session.unwrap(Mechanism::oaepSha1(), carryKey, scene.target.carriedBlob, values);
  return scene.session.get(carried, CKA_VALUE);
}

std::vector<CK_OBJECT_HANDLE> carryKeys(const Scene& scene) {
  if (scene.target.carriedBlob.empty()) throw NotTried("no ceremony was recorded");
  auto found =
      scene.session.find(Template().number(CKA_CLASS, CKO_PRIVATE_KEY).number(CKA_KEY_TYPE, CKK_RSA));
  std::erase(found, scene.ownPair.privateHalf);
  if (found.empty()) throw Invisible("no carry key is visible");
  return found;
}

Gain unwrapCarried(const Scene& scene) {
  const Bytes value = readCarried(scene, carryKeys(scene).front());
  return keyIf(scene.target.answer.isIn(blobUnwrappedBy(scene, decryptionWith(value))));
}

Gain decryptCarried(const Scene& scene) {
  const Bytes value =
      scene.session.decrypt(Mechanism::oaepSha1(), carryKeys(scene).front(), scene.target.carriedBlob);
  return keyIf(scene.target.answer.isIn(blobUnwrappedBy(scene, decryptionWith(value))));
}

}  // namespace

std::vector<Attack> otherAttacks() {
  return {
      {"use-without-pin", "C_Decrypt or C_Sign with the key, without a login", useWithoutPin, allKinds(),
       false, true},
      {"sign-with-key", "CKM_AES_CMAC with the key", signWithKey},
      {"plant-namesake", "C_CreateObject of a known key under the same CKA_ID", plantNamesake},
      {"unwrap-carried", "C_UnwrapKey of the recorded wrapping key with a carry key left behind, readably",
       unwrapCarried, allKinds()},
      {"decrypt-carried", "C_Decrypt of the recorded wrapping key with a carry key left behind",
       decryptCarried, allKinds()},
  };
}

}  // namespace extraction
