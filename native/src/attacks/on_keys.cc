#include "attacks/attack.h"
#include "attacks/attacker_keys.h"
#include "attributes.h"

namespace holdfast {
namespace {

CK_OBJECT_HANDLE victim(const Scene& scene) {
  return prepared([&] { return makeVictim(scene, WrappingKeyKind::kAes); });
}

bool wrapKmsKeyUnderOwn(const Scene& scene) {
  const auto own = prepared([&] { return generateOwnKey(scene); });
  tryWrap(scene, {scene.profile.keyWrapWithPadding, nullptr, 0}, own, victim(scene));
  return true;
}

bool readKmsKey(const Scene& scene) { return showsValue(scene, victim(scene)); }

bool clearWrapWithTrusted(const Scene& scene) {
  const auto key = victim(scene);
  setFlag(scene, key, CKA_WRAP_WITH_TRUSTED, false);
  return !readKeyAttributes(scene.session, key).wrapWithTrusted;
}

bool clearSensitive(const Scene& scene) {
  const auto key = victim(scene);
  setFlag(scene, key, CKA_SENSITIVE, false);
  return showsValue(scene, key);
}

bool copyReadable(const Scene& scene) {
  return showsValue(scene, copyWith(scene, victim(scene), {{CKA_SENSITIVE, false}}));
}

bool copyWrappable(const Scene& scene) {
  const auto copy = copyWith(scene, victim(scene), {{CKA_WRAP_WITH_TRUSTED, false}});
  return !readKeyAttributes(scene.session, copy).wrapWithTrusted;
}

constexpr std::array kOnKeys{Attack{"wrap-under-own-key", wrapKmsKeyUnderOwn},
                             Attack{"read-key", readKmsKey},
                             Attack{"clear-wrap-with-trusted", clearWrapWithTrusted},
                             Attack{"clear-sensitive", clearSensitive},
                             Attack{"copy-as-readable", copyReadable},
                             Attack{"copy-as-wrappable", copyWrappable}};

}  // namespace

std::span<const Attack> attacksOnKeys() { return kOnKeys; }

}  // namespace holdfast
