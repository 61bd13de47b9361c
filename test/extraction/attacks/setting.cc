/// \file C_SetAttributeValue: weaker attributes on the objects of the ceremony.
#include "attack.h"
#include "own_keys.h"

namespace extraction {
namespace {

/// A flag that is changed for the time of an attack. A token that lets it be weakened lets it be restored.
class ChangedFlag {
 public:
  ChangedFlag(const Session& session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, bool value)
      : session_(session), object_(object), type_(type), value_(value) {
    session_.set(object_, Template().flag(type_, value_));
  }
  ChangedFlag(const ChangedFlag&) = delete;
  ChangedFlag& operator=(const ChangedFlag&) = delete;
  ~ChangedFlag() {
    try {
      session_.set(object_, Template().flag(type_, !value_));
    } catch (const Refused&) {
      // The row of the attack says that it succeeded: the token is to be given up.
    }
  }

 private:
  const Session& session_;
  CK_OBJECT_HANDLE object_;
  CK_ATTRIBUTE_TYPE type_;
  bool value_;
};

Gain makeReadable(const Scene& scene) {
  const auto key = scene.key();
  const ChangedFlag change(scene.session, key, CKA_SENSITIVE, false);
  return keyIf(scene.target.answer.isIn(scene.session.get(key, CKA_VALUE)));
}

Gain makeWrappable(const Scene& scene) {
  const auto key = scene.key();
  const ChangedFlag change(scene.session, key, CKA_WRAP_WITH_TRUSTED, false);
  return keyIf(scene.target.answer.isIn(wrappedUnder(scene, createAes(scene, false), key)));
}

Gain turnDeriveOn(const Scene& scene) {
  const ChangedFlag change(scene.session, scene.key(), CKA_DERIVE, true);
  return Gain::kMisuse;
}

/// A key that is no longer extractable can never be repaired onto another member.
Gain strandKey(const Scene& scene) {
  scene.session.set(scene.key(), Template().flag(CKA_EXTRACTABLE, false));
  return Gain::kMisuse;
}

Gain turnDecryptOn(const Scene& scene) {
  const auto wrappingKey = scene.wrappingKey();
  const ChangedFlag change(scene.session, wrappingKey, CKA_DECRYPT, true);
  try {
    scene.session.set(wrappingKey, Template().mechanisms({CKM_AES_ECB, scene.keyWrap}));
  } catch (const Refused&) {
    // Without any CKA_ALLOWED_MECHANISMS it goes on as it is; otherwise C_DecryptInit refuses.
  }
  return keyIf(scene.target.answer.isIn(blobUnwrappedBy(scene, decryptionOracle(scene, wrappingKey))));
}

Gain emptyUnwrapTemplate(const Scene& scene) {
  scene.session.set(scene.wrappingKey(), Template().nested(CKA_UNWRAP_TEMPLATE, Template()));
  const auto values = scene.replica().flags({CKA_SENSITIVE, CKA_WRAP_WITH_TRUSTED}, false);
  return keyIf(scene.target.answer.isIn(scene.session.get(scene.unwrapBlob(values), CKA_VALUE)));
}

}  // namespace

std::vector<Attack> settingAttacks() {
  return {
      {"set-sensitive", "clear the key's CKA_SENSITIVE, then read it", makeReadable, allKinds()},
      {"set-wrap-with-trusted", "clear the key's CKA_WRAP_WITH_TRUSTED, then wrap it under one's own",
       makeWrappable, allKinds()},
      {"set-derive", "turn the key's CKA_DERIVE on", turnDeriveOn, allKinds()},
      {"set-extractable", "clear the key's CKA_EXTRACTABLE, so that it can never be replicated again",
       strandKey, allKinds(), true},
      {"set-wrapping-decrypt", "turn the wrapping key's CKA_DECRYPT on, then decrypt the blob with it",
       turnDecryptOn, allKinds(), true},
      {"set-unwrap-template", "empty the wrapping key's CKA_UNWRAP_TEMPLATE, then unwrap readably",
       emptyUnwrapTemplate, allKinds(), true},
  };
}

}  // namespace extraction
