#include "own_keys.h"

#include <algorithm>
#include <optional>

namespace extraction {
namespace {

/// Any 32 bytes will do: nothing here is to be kept secret.
Bytes chosenValue() {
  Bytes value(32);
  for (size_t i = 0; i < value.size(); ++i) value[i] = static_cast<CK_BYTE>(i * 37 + 11);
  return value;
}

Bytes bytesOf(const Block& block) { return {block.begin(), block.end()}; }

Block blockOf(const Bytes& bytes) {
  Block block{};
  std::copy_n(bytes.begin(), std::min<size_t>(bytes.size(), block.size()), block.begin());
  return block;
}

Bytes decryptCbc(const Bytes& key, const Bytes& ciphertext) {
  const Aes aes(key);
  Block previous{};
  Bytes plaintext;
  for (size_t offset = 0; offset + 16 <= ciphertext.size(); offset += 16) {
    const auto from = ciphertext.begin() + static_cast<std::ptrdiff_t>(offset);
    const Block sealed = blockOf({from, from + 16});
    const Block opened = aes.decrypt(sealed);
    for (size_t i = 0; i < 16; ++i) plaintext.push_back(opened[i] ^ previous[i]);
    previous = sealed;
  }
  return plaintext;
}

}  // namespace

Template ownAesTemplate(const Scene& scene, bool isTrusted) {
  Template values = scene.ownObject();
  values.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
  if (isTrusted) values.flag(CKA_TRUSTED, true);
  values.flag(CKA_SENSITIVE, false);
  values.flags({CKA_EXTRACTABLE, CKA_WRAP, CKA_UNWRAP, CKA_ENCRYPT, CKA_DECRYPT}, true);
  return values;
}

OwnKey createAes(const Scene& scene, bool isTrusted) {
  const Bytes value = chosenValue();
  return {scene.session.create(ownAesTemplate(scene, isTrusted).bytes(CKA_VALUE, value)), value};
}

OwnKey generateAes(const Scene& scene, bool isTrusted) {
  const auto values = ownAesTemplate(scene, isTrusted).number(CKA_VALUE_LEN, 32);
  const auto handle = scene.session.generate(Mechanism(CKM_AES_KEY_GEN), values);
  return {handle, scene.session.get(handle, CKA_VALUE)};
}

OwnKey unwrapAes(const Scene& scene, bool isTrusted) {
  const Mechanism oaep = Mechanism::oaepSha1();
  const Bytes blob = scene.session.encrypt(oaep, scene.ownPair.publicHalf, chosenValue());
  const auto values = ownAesTemplate(scene, isTrusted);
  return {scene.session.unwrap(oaep, scene.ownPair.privateHalf, blob, values), chosenValue()};
}

OwnPair generateRsa(const Session& session, bool isUser, bool isTrusted) {
  Template publicHalf = Scene::ownObject(isUser);
  if (isTrusted) publicHalf.flag(CKA_TRUSTED, true);
  publicHalf.flags({CKA_ENCRYPT, CKA_WRAP}, true);
  const auto privateHalf = Scene::ownObject(isUser).flags({CKA_DECRYPT, CKA_UNWRAP}, true);
  const auto pair = session.generateRsaPair(publicHalf, privateHalf);
  return {pair.first, pair.second};
}

Bytes wrappedUnder(const Scene& scene, const OwnKey& own, CK_OBJECT_HANDLE object) {
  std::optional<Refused> refusal;
  try {
    const Bytes blob = scene.session.wrap(scene.keyWrapMechanism(), own.handle, object);
    return unwrapBlob(decryptionWith(own.value), blob).value_or(Bytes{});
  } catch (const Refused& error) {
    refusal = error;
  }
  try {
    const auto cbc = Mechanism::withIv(CKM_AES_CBC, Bytes(16));
    return decryptCbc(own.value, scene.session.wrap(cbc, own.handle, object));
  } catch (const Refused&) {
    throw Refused(refusal->function, refusal->rv);
  }
}

Bytes wrappedUnder(const Scene& scene, const OwnPair& own, CK_OBJECT_HANDLE object) {
  const Mechanism oaep = Mechanism::oaepSha1();
  return scene.session.decrypt(oaep, own.privateHalf, scene.session.wrap(oaep, own.publicHalf, object));
}

BlockCipher decryptionWith(const Bytes& key) {
  return [aes = Aes(key)](const Block& block) { return aes.decrypt(block); };
}

Bytes blobUnwrappedBy(const Scene& scene, const BlockCipher& decrypt) {
  if (scene.target.blob.empty()) throw NotTried("there is no blob of this key");
  return unwrapBlob(decrypt, scene.target.blob).value_or(Bytes{});
}

BlockCipher decryptionOracle(const Scene& scene, CK_OBJECT_HANDLE key) {
  return [&scene, key](const Block& block) {
    return blockOf(scene.session.decrypt(Mechanism(CKM_AES_ECB), key, bytesOf(block)));
  };
}

}  // namespace extraction
