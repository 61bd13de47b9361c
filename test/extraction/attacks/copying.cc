/// \file C_CopyObject with weaker attributes.
#include "attack.h"
#include "own_keys.h"

namespace extraction {
namespace {

Template asSessionObject() { return Template().flag(CKA_TOKEN, false); }

Gain copyReadable(const Scene& scene) {
  const auto copy = scene.session.copy(scene.key(), asSessionObject().flag(CKA_SENSITIVE, false));
  return keyIf(scene.target.answer.isIn(scene.session.get(copy, CKA_VALUE)));
}

Gain copyWrappable(const Scene& scene) {
  const auto copy = scene.session.copy(scene.key(), asSessionObject().flag(CKA_WRAP_WITH_TRUSTED, false));
  return keyIf(scene.target.answer.isIn(wrappedUnder(scene, createAes(scene, false), copy)));
}

Gain copyPublic(const Scene& scene) {
  const auto copy = scene.session.copy(scene.key(), asSessionObject().flag(CKA_PRIVATE, false));
  return misuseIf(scene.session.get(copy, CKA_PRIVATE) == Bytes{CK_FALSE});
}

Gain copyWithDerive(const Scene& scene) {
  const auto copy = scene.session.copy(scene.key(), asSessionObject().flag(CKA_DERIVE, true));
  return misuseIf(scene.session.get(copy, CKA_DERIVE) == Bytes{CK_TRUE});
}

/// Some modules let no copy change CKA_ALLOWED_MECHANISMS; a wrapping key without any needs no change.
CK_OBJECT_HANDLE decryptingCopy(const Scene& scene) {
  auto changes = asSessionObject().flag(CKA_DECRYPT, true);
  const auto wrappingKey = scene.wrappingKey();
  try {
    return scene.session.copy(wrappingKey, changes);
  } catch (const Refused&) {
    return scene.session.copy(wrappingKey, changes.mechanisms({CKM_AES_ECB, scene.keyWrap}));
  }
}

Gain copyWithDecrypt(const Scene& scene) {
  const auto copy = decryptingCopy(scene);
  return keyIf(scene.target.answer.isIn(blobUnwrappedBy(scene, decryptionOracle(scene, copy))));
}

Gain copyWithoutUnwrapTemplate(const Scene& scene) {
  const auto copy =
      scene.session.copy(scene.wrappingKey(), asSessionObject().nested(CKA_UNWRAP_TEMPLATE, Template()));
  const auto values = scene.replica().flags({CKA_SENSITIVE, CKA_WRAP_WITH_TRUSTED}, false);
  const auto replica = scene.session.unwrap(scene.keyWrapMechanism(), copy, scene.target.blob, values);
  return keyIf(scene.target.answer.isIn(scene.session.get(replica, CKA_VALUE)));
}

}  // namespace

std::vector<Attack> copyingAttacks() {
  return {
      {"copy-readable", "C_CopyObject of the key with CKA_SENSITIVE=false", copyReadable, allKinds()},
      {"copy-wrappable", "C_CopyObject of the key with CKA_WRAP_WITH_TRUSTED=false", copyWrappable,
       allKinds()},
      {"copy-public", "C_CopyObject of the key with CKA_PRIVATE=false", copyPublic, allKinds()},
      {"copy-with-derive", "C_CopyObject of the key with CKA_DERIVE=true", copyWithDerive, allKinds()},
      {"copy-wrapping-with-decrypt",
       "C_CopyObject of the wrapping key with CKA_DECRYPT=true, then decrypt the blob", copyWithDecrypt,
       allKinds()},
      {"copy-wrapping-without-template",
       "C_CopyObject of the wrapping key without CKA_UNWRAP_TEMPLATE, then unwrap readably",
       copyWithoutUnwrapTemplate, allKinds()},
  };
}

}  // namespace extraction
