#include "ceremony.h"

#include "scene.h"

namespace extraction {
namespace {

constexpr std::array<Kind, 3> kKinds{Kind::kAes, Kind::kGenericSecret, Kind::kPrivate};

Bytes idOf(CK_BYTE role, Kind kind) {
  Bytes id(32, static_cast<CK_BYTE>(role + static_cast<CK_BYTE>(kind)));
  return id;
}
constexpr CK_BYTE kKeyRole = 0xa0;
constexpr CK_BYTE kWrappingRole = 0xb0;

struct CarryPair {
  CK_OBJECT_HANDLE publicHalf;
  CK_OBJECT_HANDLE privateHalf;
};

CarryPair makeCarryPair(const Session& session, const Preparation& preparation) {
  Template publicHalf;
  publicHalf.flag(CKA_TOKEN, false).flag(CKA_PRIVATE, false).flag(CKA_WRAP, true);
  publicHalf.flags({CKA_ENCRYPT, CKA_VERIFY}, false);
  Template privateHalf;
  preparation.flag(privateHalf, "carry.CKA_TOKEN", CKA_TOKEN, false);
  privateHalf.flag(CKA_PRIVATE, false).flag(CKA_SENSITIVE, true).flag(CKA_EXTRACTABLE, false);
  privateHalf.flag(CKA_UNWRAP, true).flag(CKA_SIGN, false);
  preparation.flag(privateHalf, "carry.CKA_DECRYPT", CKA_DECRYPT, false);
  const auto pair = session.generateRsaPair(publicHalf, privateHalf);
  return {pair.first, pair.second};
}

/// What an unwrapped key must be. CKA_PRIVATE keeps those out that have no PIN.
Template unwrapTemplate(Kind kind, const Preparation& preparation) {
  Template values;
  const auto put = [&](const std::string& name, CK_ATTRIBUTE_TYPE type, bool value) {
    if (preparation.has("unwrap." + name)) values.flag(type, value);
  };
  if (preparation.has("unwrap.CKA_CLASS")) values.number(CKA_CLASS, classOf(kind));
  if (kind != Kind::kPrivate && preparation.has("unwrap.CKA_KEY_TYPE")) {
    values.number(CKA_KEY_TYPE, keyTypeOf(kind));
  }
  put("CKA_PRIVATE", CKA_PRIVATE, true);
  put("CKA_SENSITIVE", CKA_SENSITIVE, true);
  put("CKA_WRAP_WITH_TRUSTED", CKA_WRAP_WITH_TRUSTED, true);
  put("CKA_UNWRAP", CKA_UNWRAP, false);
  if (kind == Kind::kPrivate) return values;
  put("CKA_WRAP", CKA_WRAP, false);
  put("CKA_DERIVE", CKA_DERIVE, false);
  return values;
}

/// What may be wrapped: without it a key goes out under another kind's wrapping key, and comes back as that
/// kind.
Template wrapTemplate(Kind kind) {
  Template values;
  values.number(CKA_CLASS, classOf(kind));
  if (kind != Kind::kPrivate) values.number(CKA_KEY_TYPE, keyTypeOf(kind));
  return values;
}

Template wrappingKeyTemplate(Kind kind, const Preparation& preparation, CK_MECHANISM_TYPE keyWrap) {
  Template values;
  values.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
  values.flag(CKA_TOKEN, true).flag(CKA_PRIVATE, false);
  values.bytes(CKA_ID, idOf(kWrappingRole, kind)).text(CKA_LABEL, std::string("wrapping ") + nameOf(kind));
  values.flags({CKA_TRUSTED, CKA_WRAP, CKA_UNWRAP}, true).flag(CKA_VERIFY, false);
  preparation.flag(values, "wrapping.CKA_SENSITIVE", CKA_SENSITIVE, true);
  preparation.flag(values, "wrapping.CKA_EXTRACTABLE", CKA_EXTRACTABLE, false);
  preparation.flag(values, "wrapping.CKA_ENCRYPT", CKA_ENCRYPT, false);
  preparation.flag(values, "wrapping.CKA_DECRYPT", CKA_DECRYPT, false);
  preparation.flag(values, "wrapping.CKA_SIGN", CKA_SIGN, false);
  preparation.flag(values, "wrapping.CKA_DERIVE", CKA_DERIVE, false);
  preparation.flag(values, "wrapping.CKA_COPYABLE", CKA_COPYABLE, false);
  if (preparation.has("wrapping.CKA_ALLOWED_MECHANISMS")) values.mechanisms({keyWrap});
  if (preparation.has("wrapping.CKA_WRAP_TEMPLATE")) values.nested(CKA_WRAP_TEMPLATE, wrapTemplate(kind));
  if (preparation.has("wrapping.CKA_UNWRAP_TEMPLATE")) {
    values.nested(CKA_UNWRAP_TEMPLATE, unwrapTemplate(kind, preparation));
  }
  // Last: SoftHSM refuses whatever follows.
  preparation.flag(values, "wrapping.CKA_MODIFIABLE", CKA_MODIFIABLE, false);
  return values;
}

/// Makes a wrapping key as an extractable session object, and carries it. \returns its blob
Bytes makeWrappingKey(const Session& session, const CarryPair& carry, const Template& wanted) {
  Template first;
  first.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES).number(CKA_VALUE_LEN, 32);
  first.flags({CKA_TOKEN, CKA_PRIVATE}, false).flags({CKA_SENSITIVE, CKA_EXTRACTABLE}, true);
  const auto key = session.generate(Mechanism(CKM_AES_KEY_GEN), first);
  Bytes blob = session.wrap(Mechanism::oaepSha1(), carry.publicHalf, key);
  session.destroy(key);
  session.unwrap(Mechanism::oaepSha1(), carry.privateHalf, blob, wanted);
  return blob;
}

Template keyTemplate(Kind kind, const Preparation& preparation) {
  Template values;
  values.flag(CKA_TOKEN, true).bytes(CKA_ID, idOf(kKeyRole, kind)).text(CKA_LABEL, nameOf(kind));
  preparation.flag(values, "key.CKA_PRIVATE", CKA_PRIVATE, true);
  preparation.flag(values, "key.CKA_SENSITIVE", CKA_SENSITIVE, true);
  values.flag(CKA_EXTRACTABLE, true);
  preparation.flag(values, "key.CKA_WRAP_WITH_TRUSTED", CKA_WRAP_WITH_TRUSTED, true);
  values.flag(CKA_DECRYPT, kind == Kind::kAes).flag(CKA_SIGN, kind != Kind::kAes).flag(CKA_UNWRAP, false);
  if (kind == Kind::kAes) preparation.flag(values, "key.CKA_SIGN", CKA_SIGN, false);
  preparation.flag(values, "key.CKA_DERIVE", CKA_DERIVE, false);
  if (kind != Kind::kPrivate) {
    values.flag(CKA_ENCRYPT, kind == Kind::kAes).flag(CKA_VERIFY, kind == Kind::kGenericSecret);
    preparation.flag(values, "key.CKA_WRAP", CKA_WRAP, false);
  }
  if (preparation.has("key.CKA_ALLOWED_MECHANISMS")) {
    if (kind == Kind::kAes) values.mechanisms({CKM_AES_GCM});
    if (kind == Kind::kGenericSecret) values.mechanisms({CKM_SHA256_HMAC});
    if (kind == Kind::kPrivate) values.mechanisms({CKM_ECDSA});
  }
  preparation.flag(values, "key.CKA_COPYABLE", CKA_COPYABLE, false);
  preparation.flag(values, "key.CKA_MODIFIABLE", CKA_MODIFIABLE, false);
  return values;
}

void makeKey(const Session& session, Kind kind, const Template& values) {
  if (kind == Kind::kPrivate) {
    Template publicHalf;
    // OBJECT IDENTIFIER 1.2.840.10045.3.1.7, P-256.
    publicHalf.bytes(CKA_EC_PARAMS, {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07});
    publicHalf.flag(CKA_TOKEN, false).flag(CKA_VERIFY, true);
    session.generatePair(Mechanism(CKM_EC_KEY_PAIR_GEN), publicHalf, values);
    return;
  }
  const bool isAes = kind == Kind::kAes;
  Template secret;
  secret.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, keyTypeOf(kind)).number(CKA_VALUE_LEN, 32);
  session.generate(Mechanism(isAes ? CKM_AES_KEY_GEN : CKM_GENERIC_SECRET_KEY_GEN),
                   secret.followedBy(values));
}

}  // namespace

std::map<Kind, Bytes> makeWrappingKeys(const Session& session, const Preparation& preparation,
                                       CK_MECHANISM_TYPE keyWrap) {
  const auto carry = makeCarryPair(session, preparation);
  std::map<Kind, Bytes> blobs;
  for (const auto kind : kKinds) {
    blobs[kind] = makeWrappingKey(session, carry, wrappingKeyTemplate(kind, preparation, keyWrap));
  }
  return blobs;
}

std::map<Kind, Bytes> makeKeys(const Session& session, const Preparation& preparation) {
  std::map<Kind, Bytes> ids;
  for (const auto kind : kKinds) {
    makeKey(session, kind, keyTemplate(kind, preparation));
    ids[kind] = idOf(kKeyRole, kind);
  }
  return ids;
}

}  // namespace extraction
