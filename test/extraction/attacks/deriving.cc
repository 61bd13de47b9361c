/// \file C_DeriveKey from the key, and from a replica that is unwrapped for it.
#include "attack.h"

namespace extraction {
namespace {

/// Enough that a whole key fits in.
constexpr size_t kDataLength = 32;

Template readableSecret(const Scene& scene, CK_ULONG length) {
  auto values = scene.ownObject();
  values.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
  if (length > 0) values.number(CKA_VALUE_LEN, length);
  return values.flag(CKA_SENSITIVE, false).flag(CKA_EXTRACTABLE, true);
}

Bytes derived(const Scene& scene, const Mechanism& mechanism, CK_OBJECT_HANDLE base, CK_ULONG length) {
  return scene.session.get(scene.session.derive(mechanism, base, readableSecret(scene, length)), CKA_VALUE);
}

/// An AES key that encrypts one chosen block shows the key stream of any GCM ciphertext.
Gain keyStream(const Scene& scene, const Mechanism& mechanism, CK_OBJECT_HANDLE base) {
  return misuseIf(scene.target.answer.isKeyStream(derived(scene, mechanism, base, 16)));
}

Mechanism ecb(const Scene& scene) {
  return Mechanism::withData(CKM_AES_ECB_ENCRYPT_DATA, scene.target.answer.counterBlock());
}

Gain byEcb(const Scene& scene) { return keyStream(scene, ecb(scene), scene.key()); }

Gain byCbc(const Scene& scene) {
  return keyStream(scene, Mechanism::aesCbcEncryptData(scene.target.answer.counterBlock()), scene.key());
}

Gain fromReplica(const Scene& scene) {
  return keyStream(scene, ecb(scene), scene.unwrapBlob(scene.replica().flag(CKA_DERIVE, true)));
}

/// With zeros the result is the key.
Gain byXor(const Scene& scene) {
  const auto mechanism = Mechanism::withData(CKM_XOR_BASE_AND_DATA, Bytes(kDataLength));
  return keyIf(scene.target.answer.isIn(derived(scene, mechanism, scene.key(), 0)));
}

Gain byConcatenation(const Scene& scene) {
  const auto mechanism = Mechanism::withData(CKM_CONCATENATE_BASE_AND_DATA, Bytes(kDataLength));
  return keyIf(scene.target.answer.isIn(derived(scene, mechanism, scene.key(), 0)));
}

Gain byExtraction(const Scene& scene) {
  return keyIf(scene.target.answer.isIn(derived(scene, Mechanism::extractKey(), scene.key(), kDataLength)));
}

}  // namespace

std::vector<Attack> derivingAttacks() {
  const std::set<Kind> secrets{Kind::kAes, Kind::kGenericSecret};
  return {
      {"derive-by-ecb", "CKM_AES_ECB_ENCRYPT_DATA with the key: key stream of a ciphertext", byEcb},
      {"derive-by-cbc", "CKM_AES_CBC_ENCRYPT_DATA with the key: key stream of a ciphertext", byCbc},
      {"derive-from-replica", "C_UnwrapKey of the blob with CKA_DERIVE, then CKM_AES_ECB_ENCRYPT_DATA",
       fromReplica},
      {"derive-by-xor", "CKM_XOR_BASE_AND_DATA with zeros", byXor, secrets},
      {"derive-by-concatenation", "CKM_CONCATENATE_BASE_AND_DATA", byConcatenation, secrets},
      {"derive-by-extraction", "CKM_EXTRACT_KEY_FROM_KEY", byExtraction, secrets},
  };
}

}  // namespace extraction
