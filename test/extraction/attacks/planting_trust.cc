/// \file A trusted key of known value: whoever can make one wraps every key under it.
#include "attack.h"
#include "own_keys.h"

namespace extraction {
namespace {

Gain underTrusted(const Scene& scene, const OwnKey& own) {
  return keyIf(scene.target.answer.isIn(wrappedUnder(scene, own, scene.key())));
}

Gain createTrusted(const Scene& scene) { return underTrusted(scene, createAes(scene, true)); }
Gain generateTrusted(const Scene& scene) { return underTrusted(scene, generateAes(scene, true)); }
Gain unwrapTrusted(const Scene& scene) { return underTrusted(scene, unwrapAes(scene, true)); }

Gain setTrusted(const Scene& scene) {
  const OwnKey own = createAes(scene, false);
  scene.session.set(own.handle, Template().flag(CKA_TRUSTED, true));
  return underTrusted(scene, own);
}

Gain copyTrusted(const Scene& scene) {
  const OwnKey own = createAes(scene, false);
  const auto copy = scene.session.copy(own.handle, Template().flag(CKA_TRUSTED, true));
  return underTrusted(scene, {copy, own.value});
}

Gain trustedRsa(const Scene& scene) {
  const auto key = scene.key();
  const auto own = generateRsa(scene.session, scene.isUser, true);
  return keyIf(scene.target.answer.isIn(wrappedUnder(scene, own, key)));
}

}  // namespace

std::vector<Attack> trustPlantingAttacks() {
  return {
      {"trust-by-create", "C_CreateObject of one's own key with CKA_TRUSTED=true, then wrap under it",
       createTrusted, allKinds()},
      {"trust-by-generate", "C_GenerateKey of a readable key with CKA_TRUSTED=true, then wrap under it",
       generateTrusted, allKinds()},
      {"trust-by-unwrap", "C_UnwrapKey of one's own key with CKA_TRUSTED=true, then wrap under it",
       unwrapTrusted, allKinds()},
      {"trust-by-set", "C_SetAttributeValue of CKA_TRUSTED on one's own key, then wrap under it", setTrusted,
       allKinds()},
      {"trust-by-copy", "C_CopyObject of one's own key with CKA_TRUSTED=true, then wrap under it",
       copyTrusted, allKinds()},
      {"trust-by-rsa", "C_GenerateKeyPair with CKA_TRUSTED=true, then wrap under the public half",
       trustedRsa},
  };
}

}  // namespace extraction
