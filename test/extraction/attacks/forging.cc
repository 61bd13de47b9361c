/// \file Using the wrapping key for anything but wrapping: as an oracle it opens blobs, or forges them.
#include "attack.h"
#include "own_keys.h"

namespace extraction {
namespace {

Bytes bytesOf(const Block& block) { return {block.begin(), block.end()}; }

Block blockOf(const Bytes& bytes) {
  Block block{};
  for (size_t i = 0; i < block.size() && i < bytes.size(); ++i) block[i] = bytes[i];
  return block;
}

Gain decryptByEcb(const Scene& scene) {
  const auto oracle = decryptionOracle(scene, scene.wrappingKey());
  return keyIf(scene.target.answer.isIn(blobUnwrappedBy(scene, oracle)));
}

/// Some modules undo a key wrap in C_Decrypt.
Gain decryptByKeyWrap(const Scene& scene) {
  const auto key = scene.wrappingKey();
  return keyIf(
      scene.target.answer.isIn(scene.session.decrypt(scene.keyWrapMechanism(), key, scene.target.blob)));
}

/// A blob of a known value passes for a replica of a key: what a service then encrypts under it is open.
Gain forge(const Scene& scene, const BlockCipher& oracle) {
  Bytes value(32);
  for (size_t i = 0; i < value.size(); ++i) value[i] = static_cast<CK_BYTE>(i);
  const auto planted = scene.unwrap(wrapKwp(oracle, value), scene.replica().flag(CKA_ENCRYPT, true));
  const Bytes nonce(12);
  const Bytes plaintext(16, 1);
  const Bytes sealed = scene.session.encrypt(Mechanism::aesGcm(nonce), planted, plaintext);
  return misuseIf(decryptGcm(value, nonce, sealed) == plaintext);
}

Gain encryptByEcb(const Scene& scene) {
  const auto key = scene.wrappingKey();
  return forge(scene, [&scene, key](const Block& block) {
    return blockOf(scene.session.encrypt(Mechanism(CKM_AES_ECB), key, bytesOf(block)));
  });
}

/// CKM_AES_*_ENCRYPT_DATA makes an object of the ciphertext; of one block, CBC with a zero vector is ECB.
Gain forgeByDeriving(const Scene& scene, Mechanism (*mechanism)(const Bytes&)) {
  const auto key = scene.wrappingKey();
  return forge(scene, [&scene, key, mechanism](const Block& block) {
    auto values = scene.ownObject();
    values.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
    values.number(CKA_VALUE_LEN, 16).flag(CKA_SENSITIVE, false).flag(CKA_EXTRACTABLE, true);
    const auto derived = scene.session.derive(mechanism(bytesOf(block)), key, values);
    return blockOf(scene.session.get(derived, CKA_VALUE));
  });
}

Gain deriveByEcb(const Scene& scene) {
  return forgeByDeriving(
      scene, [](const Bytes& data) { return Mechanism::withData(CKM_AES_ECB_ENCRYPT_DATA, data); });
}

Gain deriveByCbc(const Scene& scene) { return forgeByDeriving(scene, Mechanism::aesCbcEncryptData); }

Gain computeMac(const Scene& scene) {
  return misuseIf(!scene.session.sign(Mechanism(CKM_AES_CMAC), scene.wrappingKey(), Bytes(16)).empty());
}

}  // namespace

std::vector<Attack> forgingAttacks() {
  return {
      {"decrypt-by-ecb", "C_Decrypt of the blob's blocks with the wrapping key", decryptByEcb, allKinds()},
      {"decrypt-by-key-wrap", "C_Decrypt of the blob with the wrapping key by its own mechanism",
       decryptByKeyWrap, allKinds()},
      {"encrypt-by-ecb", "C_Encrypt with the wrapping key: forge a blob, unwrap it", encryptByEcb},
      {"derive-from-wrapping-key-by-ecb",
       "CKM_AES_ECB_ENCRYPT_DATA with the wrapping key: forge a blob, unwrap it", deriveByEcb},
      {"derive-from-wrapping-key-by-cbc",
       "CKM_AES_CBC_ENCRYPT_DATA with the wrapping key: forge a blob, unwrap it", deriveByCbc},
      {"sign-with-wrapping-key", "CKM_AES_CMAC with the wrapping key", computeMac},
  };
}

}  // namespace extraction
