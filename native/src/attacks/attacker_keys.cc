#include "attacks/attacker_keys.h"

#include <utility>

#include "key_wrapping.h"
#include "secret.h"

namespace holdfast {
namespace {

/// DER of the OID of P-256 (1.2.840.10045.3.1.7).
constexpr std::array<uint8_t, 10> kP256{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
constexpr size_t kRoomForBlob = 8192;
constexpr size_t kRoomForValue = 256;

void add(ObjectTemplate& wanted, const Flags& flags) {
  for (const auto& [type, value] : flags) wanted.flag(type, value);
}

/// The flags of a KMS key; CKA_MODIFIABLE comes last.
Flags flagsOfKey(const Scene& scene, WrappingKeyKind kind) {
  Flags flags{{CKA_TOKEN, false},      {CKA_PRIVATE, scene.isUser},   {CKA_SENSITIVE, true},
              {CKA_EXTRACTABLE, true}, {CKA_WRAP_WITH_TRUSTED, true}, {CKA_UNWRAP, false},
              {CKA_DERIVE, false}};
  const bool isAes = kind == WrappingKeyKind::kAes;
  flags[CKA_DECRYPT] = isAes;
  flags[CKA_SIGN] = !isAes;
  if (kind != WrappingKeyKind::kPrivateKey) {
    flags[CKA_ENCRYPT] = isAes;
    flags[CKA_VERIFY] = !isAes;
    flags[CKA_WRAP] = false;
  }
  if (scene.profile.knowsCopyable) flags[CKA_COPYABLE] = false;
  return flags;
}

ObjectTemplate keyOf(WrappingKeyKind kind) {
  ObjectTemplate wanted = wrapTemplate(kind);
  if (kind == WrappingKeyKind::kPrivateKey) wanted.number(CKA_KEY_TYPE, CKK_EC);
  return wanted;
}

ObjectTemplate victimTemplate(const Scene& scene, WrappingKeyKind kind) {
  ObjectTemplate wanted = keyOf(kind);
  if (kind != WrappingKeyKind::kPrivateKey) wanted.number(CKA_VALUE_LEN, kClusterKeyLength);
  add(wanted, flagsOfKey(scene, kind));
  return std::move(wanted.flag(CKA_MODIFIABLE, false));
}

CK_OBJECT_HANDLE generate(const Scene& scene, CK_MECHANISM_TYPE type, ObjectTemplate wanted) {
  CK_MECHANISM mechanism{type, nullptr, 0};
  CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
  check(Function::C_GenerateKey, scene.functions().C_GenerateKey(scene.session.handle(), &mechanism,
                                                                 wanted.data(), wanted.size(), &made));
  return made;
}

CK_OBJECT_HANDLE generatePair(const Scene& scene, ObjectTemplate wanted) {
  ObjectTemplate publicHalf;
  publicHalf.flags({CKA_TOKEN, CKA_PRIVATE}, false).flag(CKA_VERIFY, true).bytes(CKA_EC_PARAMS, kP256);
  CK_MECHANISM mechanism{CKM_EC_KEY_PAIR_GEN, nullptr, 0};
  CK_OBJECT_HANDLE publicKey = CK_INVALID_HANDLE;
  CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
  check(Function::C_GenerateKeyPair, scene.functions().C_GenerateKeyPair(
                                         scene.session.handle(), &mechanism, publicHalf.data(),
                                         publicHalf.size(), wanted.data(), wanted.size(), &publicKey, &made));
  return made;
}

}  // namespace

ObjectTemplate ownKeyTemplate(const Scene& scene, const Flags& more) {
  ObjectTemplate wanted;
  wanted.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
  Flags flags = more;
  flags.insert({{CKA_TOKEN, false}, {CKA_PRIVATE, scene.isUser}, {CKA_SENSITIVE, false}});
  for (const CK_ATTRIBUTE_TYPE type : {CKA_EXTRACTABLE, CKA_WRAP, CKA_UNWRAP, CKA_ENCRYPT, CKA_DECRYPT})
    flags.insert({type, true});
  add(wanted, flags);
  return wanted;
}

CK_OBJECT_HANDLE generateOwnKey(const Scene& scene, const Flags& more) {
  auto wanted = ownKeyTemplate(scene, more);
  wanted.number(CKA_VALUE_LEN, kClusterKeyLength);
  return generate(scene, CKM_AES_KEY_GEN, std::move(wanted));
}

CK_OBJECT_HANDLE makeVictim(const Scene& scene, WrappingKeyKind kind) {
  auto wanted = victimTemplate(scene, kind);
  switch (kind) {
    case WrappingKeyKind::kAes:
      return generate(scene, CKM_AES_KEY_GEN, std::move(wanted));
    case WrappingKeyKind::kGenericSecret:
      return generate(scene, CKM_GENERIC_SECRET_KEY_GEN, std::move(wanted));
    case WrappingKeyKind::kPrivateKey:
      return generatePair(scene, std::move(wanted));
  }
  return CK_INVALID_HANDLE;
}

Bytes victimsBlob(const Scene& scene) {
  return wrapKey(scene.session, {scene.clusterKey(), scene.profile.keyWrapWithPadding},
                 makeVictim(scene, scene.kind()));
}

ObjectTemplate replicaTemplate(const Scene& scene, WrappingKeyKind kind, const Flags& changed) {
  ObjectTemplate wanted = keyOf(kind);
  Flags flags = changed;
  const Flags others = flagsOfKey(scene, kind);
  flags.insert(others.begin(), others.end());
  add(wanted, flags);
  return wanted;
}

CK_OBJECT_HANDLE unwrapUnderTarget(const Scene& scene, ByteView blob, ObjectTemplate wanted) {
  return unwrapKey(scene.session, {scene.clusterKey(), scene.profile.keyWrapWithPadding}, blob, wanted);
}

void tryWrap(const Scene& scene, CK_MECHANISM mechanism, CK_OBJECT_HANDLE wrappingKey, CK_OBJECT_HANDLE key) {
  Bytes blob(kRoomForBlob);
  CK_ULONG length = blob.size();
  check(Function::C_WrapKey, scene.functions().C_WrapKey(scene.session.handle(), &mechanism, wrappingKey, key,
                                                         blob.data(), &length));
}

CK_OBJECT_HANDLE copyWith(const Scene& scene, CK_OBJECT_HANDLE object, const Flags& changed) {
  ObjectTemplate wanted;
  wanted.flag(CKA_TOKEN, false);
  add(wanted, changed);
  CK_OBJECT_HANDLE copy = CK_INVALID_HANDLE;
  check(Function::C_CopyObject,
        scene.functions().C_CopyObject(scene.session.handle(), object, wanted.data(), wanted.size(), &copy));
  if (copy == CK_INVALID_HANDLE) throw badOutput(Function::C_CopyObject, "the copy has no handle");
  return copy;
}

void setFlag(const Scene& scene, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, bool value) {
  ObjectTemplate wanted;
  wanted.flag(type, value);
  check(Function::C_SetAttributeValue,
        scene.functions().C_SetAttributeValue(scene.session.handle(), object, wanted.data(), wanted.size()));
}

bool showsValue(const Scene& scene, CK_OBJECT_HANDLE object) {
  Secret value(kRoomForValue);
  CK_ATTRIBUTE query{CKA_VALUE, value.data(), value.size()};
  check(Function::C_GetAttributeValue,
        scene.functions().C_GetAttributeValue(scene.session.handle(), object, &query, 1));
  return query.ulValueLen > 0 && query.ulValueLen <= value.size();
}

}  // namespace holdfast
