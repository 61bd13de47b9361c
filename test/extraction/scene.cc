#include "scene.h"

namespace extraction {

CK_OBJECT_CLASS classOf(Kind kind) { return kind == Kind::kPrivate ? CKO_PRIVATE_KEY : CKO_SECRET_KEY; }

CK_KEY_TYPE keyTypeOf(Kind kind) {
  if (kind == Kind::kAes) return CKK_AES;
  return kind == Kind::kPrivate ? CKK_EC : CKK_GENERIC_SECRET;
}

std::vector<CK_OBJECT_HANDLE> findTrustedKeys(const Session& session) {
  return session.find(Template().number(CKA_CLASS, CKO_SECRET_KEY).flag(CKA_TRUSTED, true));
}

std::vector<CK_OBJECT_HANDLE> findById(const Session& session, const Bytes& id, CK_OBJECT_CLASS objectClass) {
  return session.find(Template().number(CKA_CLASS, objectClass).bytes(CKA_ID, id));
}

CK_OBJECT_HANDLE Scene::key() const {
  const auto found = findById(session, target.id, classOf(target.kind));
  if (found.empty()) throw Invisible("the key is not visible");
  return found.front();
}

CK_OBJECT_HANDLE Scene::wrappingKey() const {
  if (target.wrappingId.empty()) throw NotTried("no trusted key wraps this key");
  const auto found = findById(session, target.wrappingId, CKO_SECRET_KEY);
  if (found.empty()) throw Invisible("the wrapping key is not visible");
  return found.front();
}

std::vector<CK_OBJECT_HANDLE> Scene::otherWrappingKeys() const {
  auto found = findTrustedKeys(session);
  std::erase(found, wrappingKey());
  return found;
}

Template Scene::replica() const {
  Template values;
  values.number(CKA_CLASS, classOf(target.kind)).number(CKA_KEY_TYPE, keyTypeOf(target.kind));
  values.flag(CKA_TOKEN, false).flag(CKA_PRIVATE, isUser);
  values.flags({CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_WRAP_WITH_TRUSTED}, true);
  const bool encrypts = target.kind == Kind::kAes;
  if (target.kind != Kind::kPrivate) values.flags({CKA_WRAP, CKA_ENCRYPT, CKA_VERIFY}, false);
  values.flags({CKA_UNWRAP, CKA_DERIVE}, false);
  values.flag(CKA_DECRYPT, encrypts).flag(CKA_SIGN, !encrypts);
  return values;
}

CK_OBJECT_HANDLE Scene::unwrapBlob(const Template& values) const { return unwrap(target.blob, values); }

CK_OBJECT_HANDLE Scene::unwrap(const Bytes& blob, const Template& values) const {
  if (blob.empty()) throw NotTried("there is no blob of this key");
  return session.unwrap(keyWrapMechanism(), wrappingKey(), blob, values);
}

}  // namespace extraction
