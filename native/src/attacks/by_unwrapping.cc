#include "attacks/attack.h"
#include "attacks/attacker_keys.h"
#include "attributes.h"

namespace holdfast {
namespace {

/// Unwraps a throwaway key's blob, as the service would but for `changed`.
CK_OBJECT_HANDLE unwrapWith(const Scene& scene, const Flags& changed) {
  const Bytes blob = prepared([&] { return victimsBlob(scene); });
  return unwrapUnderTarget(scene, blob, replicaTemplate(scene, scene.kind(), changed));
}

KeyAttributes unwrapAndRead(const Scene& scene, const Flags& changed) {
  return readKeyAttributes(scene.session, unwrapWith(scene, changed));
}

bool readable(const Scene& scene) { return showsValue(scene, unwrapWith(scene, {{CKA_SENSITIVE, false}})); }

bool wrappable(const Scene& scene) {
  return !unwrapAndRead(scene, {{CKA_WRAP_WITH_TRUSTED, false}}).wrapWithTrusted;
}

/// Without a PIN this key can be used; as a token object it would outlive every PIN.
bool publicObject(const Scene& scene) { return !unwrapAndRead(scene, {{CKA_PRIVATE, false}}).isPrivate; }

bool trusted(const Scene& scene) { return unwrapAndRead(scene, {{CKA_TRUSTED, true}}).trusted; }

bool wrappingKey(const Scene& scene) {
  Flags changed{{CKA_UNWRAP, true}};
  if (scene.kind() != WrappingKeyKind::kPrivateKey) changed[CKA_WRAP] = true;
  const auto read = unwrapAndRead(scene, changed);
  return read.wrap || read.unwrap;
}

/// A private key as a secret shows its encoding, a MAC key as an AES key encrypts.
bool anotherType(const Scene& scene) {
  const Bytes blob = prepared([&] { return victimsBlob(scene); });
  const bool becomesAes = scene.kind() == WrappingKeyKind::kGenericSecret;
  const auto other = becomesAes ? WrappingKeyKind::kAes : WrappingKeyKind::kGenericSecret;
  return unwrapUnderTarget(scene, blob, replicaTemplate(scene, other)) != CK_INVALID_HANDLE;
}

bool rightfully(const Scene& scene) { return unwrapWith(scene, {{CKA_PRIVATE, true}}) != CK_INVALID_HANDLE; }

constexpr auto kEach = Target::kEachWrappingKey;
constexpr std::array kByUnwrapping{Attack{"unwrap-as-readable", readable, kEach},
                                   Attack{"unwrap-as-wrappable", wrappable, kEach},
                                   Attack{"unwrap-as-public-object", publicObject, kEach},
                                   Attack{"unwrap-as-trusted", trusted, kEach},
                                   Attack{"unwrap-as-wrapping-key", wrappingKey, kEach},
                                   Attack{"unwrap-as-another-type", anotherType, kEach},
                                   Attack{"unwrap-without-pin", rightfully, kEach, Attacker::kWithoutPin}};

}  // namespace

std::span<const Attack> attacksByUnwrapping() { return kByUnwrapping; }

}  // namespace holdfast
