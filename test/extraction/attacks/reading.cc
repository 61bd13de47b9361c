/// \file Asking the token for the bytes.
#include "attack.h"
#include "own_keys.h"

namespace extraction {
namespace {

Gain readKey(const Scene& scene) {
  return keyIf(scene.target.answer.isIn(scene.session.get(scene.key(), CKA_VALUE)));
}

Gain readWrappingKey(const Scene& scene) {
  const Bytes value = scene.session.get(scene.wrappingKey(), CKA_VALUE);
  return keyIf(scene.target.answer.isIn(blobUnwrappedBy(scene, decryptionWith(value))));
}

/// The hash of 256 random bits gives no bit of them away; of a shortened key it would (`truncating.cc`).
Gain digestKey(const Scene& scene) {
  return keyIf(scene.target.answer.isIn(scene.session.digestKey(scene.key())));
}

Gain readOperationState(const Scene& scene) {
  const Bytes nonce(12);
  return keyIf(scene.target.answer.isIn(scene.session.operationState(Mechanism::aesGcm(nonce), scene.key())));
}

}  // namespace

std::vector<Attack> readingAttacks() {
  return {
      {"read-key", "C_GetAttributeValue of the key's CKA_VALUE", readKey, allKinds()},
      {"read-wrapping-key", "C_GetAttributeValue of the wrapping key's CKA_VALUE, then unwrap in software",
       readWrappingKey, allKinds()},
      {"digest-key", "C_DigestKey", digestKey, {Kind::kAes, Kind::kGenericSecret}},
      {"read-operation-state", "C_GetOperationState during an encryption", readOperationState},
  };
}

}  // namespace extraction
