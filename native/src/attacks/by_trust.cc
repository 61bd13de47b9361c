#include "attacks/attack.h"
#include "attacks/attacker_keys.h"
#include "attributes.h"
#include "key_wrapping.h"

namespace holdfast {
namespace {

const Flags kTrusted{{CKA_TRUSTED, true}};

bool isTrusted(const Scene& scene, CK_OBJECT_HANDLE key) {
  return readKeyAttributes(scene.session, key).trusted;
}

bool byGeneration(const Scene& scene) { return isTrusted(scene, generateOwnKey(scene, kTrusted)); }

bool byCreation(const Scene& scene) {
  auto wanted = ownKeyTemplate(scene, kTrusted);
  wanted.bytes(CKA_VALUE, Bytes(kClusterKeyLength, 0x42));
  CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
  check(Function::C_CreateObject,
        scene.functions().C_CreateObject(scene.session.handle(), wanted.data(), wanted.size(), &made));
  return isTrusted(scene, made);
}

/// The unwrapped key is readable before it is wrapped, so its value is known.
bool byUnwrapping(const Scene& scene) {
  const Wrapping own = prepared([&] {
    return Wrapping{generateOwnKey(scene), scene.profile.keyWrapWithPadding};
  });
  const Bytes blob = prepared([&] { return wrapKey(scene.session, own, generateOwnKey(scene)); });
  auto wanted = ownKeyTemplate(scene, kTrusted);
  return isTrusted(scene, unwrapKey(scene.session, own, blob, wanted));
}

bool bySetting(const Scene& scene) {
  const auto own = prepared([&] { return generateOwnKey(scene); });
  setFlag(scene, own, CKA_TRUSTED, true);
  return isTrusted(scene, own);
}

bool byCopying(const Scene& scene) {
  const auto own = prepared([&] { return generateOwnKey(scene); });
  return isTrusted(scene, copyWith(scene, own, kTrusted));
}

constexpr std::array kByTrust{Attack{"generate-trusted-key", byGeneration},
                              Attack{"create-trusted-key", byCreation},
                              Attack{"unwrap-trusted-key", byUnwrapping}, Attack{"set-trusted", bySetting},
                              Attack{"copy-as-trusted-key", byCopying}};

}  // namespace

std::span<const Attack> attacksByTrust() { return kByTrust; }

}  // namespace holdfast
