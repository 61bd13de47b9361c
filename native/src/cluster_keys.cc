#include "cluster_keys.h"

#include <algorithm>

#include "attributes.h"
#include "failure.h"
#include "known_answer.h"
#include "search.h"

namespace holdfast {
namespace {

/// More objects than anyone gives one name by mistake.
constexpr size_t kMostOfOneName = 16;

/// HMAC with SHA-256 authenticates backups.
CK_MECHANISM_TYPE onlyMechanismOf(const ClusterKey& key, const Profile& profile) {
  return key.wraps ? profile.keyWrapWithPadding : CK_MECHANISM_TYPE(CKM_SHA256_HMAC);
}

void requireUsage(const KeyAttributes& read, bool wraps) {
  requireAttribute(read.wrap == wraps && read.unwrap == wraps,
                   "CKA_WRAP or CKA_UNWRAP is not the expected one");
  requireAttribute(read.sign != wraps && read.verify != wraps,
                   "CKA_SIGN or CKA_VERIFY is not the expected one");
  requireAttribute(!read.encrypt && !read.decrypt && !read.derive,
                   "CKA_ENCRYPT, CKA_DECRYPT or CKA_DERIVE is true");
}

/// The one mechanism of an object; none if it has more, or if the token does not say.
std::optional<CK_MECHANISM_TYPE> onlyMechanism(Session& session, CK_OBJECT_HANDLE object) {
  // Room for two, so that a list of two shows its length.
  std::array<CK_MECHANISM_TYPE, 2> mechanisms{};
  CK_ATTRIBUTE query{CKA_ALLOWED_MECHANISMS, mechanisms.data(), sizeof mechanisms};
  check(Function::C_GetAttributeValue,
        session.functions().C_GetAttributeValue(session.handle(), object, &query, 1));
  if (query.ulValueLen != sizeof mechanisms[0]) return std::nullopt;
  return mechanisms[0];
}

}  // namespace

const ClusterKey& clusterKeyFor(WrappingKeyKind kind) {
  return *std::ranges::find(kClusterKeys, std::optional(kind), &ClusterKey::wraps);
}

const ClusterKey& backupKey() { return kClusterKeys.back(); }

KeyName nameOf(const Generation& generation, const ClusterKey& key) {
  std::string label =
      "holdfast/" + generation.cluster + "/" + std::to_string(generation.number) + "/" + key.name;
  return {{label.begin(), label.end()}, std::move(label)};
}

ObjectTemplate clusterKeyTemplate(const ClusterKey& key, const KeyName& name, const Profile& profile,
                                  Trust trust) {
  ObjectTemplate wanted;
  wanted.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, key.keyType);
  wanted.flag(CKA_TOKEN, true).flag(CKA_PRIVATE, profile.clusterKeysArePrivate);
  wanted.flag(CKA_SENSITIVE, true).flag(CKA_EXTRACTABLE, false);
  if (trust == Trust::kTrusted) wanted.flag(CKA_TRUSTED, true);
  if (profile.knowsCopyable) wanted.flag(CKA_COPYABLE, false);
  wanted.flags({CKA_WRAP, CKA_UNWRAP}, key.wraps.has_value());
  wanted.flags({CKA_SIGN, CKA_VERIFY}, !key.wraps);
  wanted.flags({CKA_ENCRYPT, CKA_DECRYPT, CKA_DERIVE}, false);
  if (profile.knowsAllowedMechanisms) wanted.onlyMechanism(onlyMechanismOf(key, profile));
  if (key.wraps) {
    wanted.nested(CKA_WRAP_TEMPLATE, wrapTemplate(*key.wraps));
    wanted.nested(CKA_UNWRAP_TEMPLATE, unwrapTemplate(*key.wraps));
  }
  const auto* const label = reinterpret_cast<const uint8_t*>(name.label.data());
  wanted.bytes(CKA_LABEL, {label, name.label.size()}).bytes(CKA_ID, name.id);
  return std::move(wanted.flag(CKA_MODIFIABLE, false));
}

void requireClusterKey(Session& session, CK_OBJECT_HANDLE object, const ClusterKey& key, const KeyName& name,
                       const Profile& profile, Trust trust) {
  const auto read = readKeyAttributes(session, object);
  requireAttribute(read.objectClass == CKO_SECRET_KEY, "CKA_CLASS is not the expected one");
  requireAttribute(read.keyType == key.keyType, "CKA_KEY_TYPE is not the expected one");
  requireAttribute(read.id == name.id, "CKA_ID is not the expected one");
  requireAttribute(read.label == name.label, "CKA_LABEL is not the expected one");
  requireAttribute(read.isToken, "CKA_TOKEN is not true");
  requireAttribute(read.isPrivate == profile.clusterKeysArePrivate, "CKA_PRIVATE is not the expected one");
  requireAttribute(read.sensitive, "CKA_SENSITIVE is not true");
  requireAttribute(!read.extractable, "CKA_EXTRACTABLE is true");
  requireAttribute(read.trusted || trust == Trust::kNotMarkedYet, "CKA_TRUSTED is not true");
  requireAttribute(!read.modifiable, "CKA_MODIFIABLE is true");
  requireAttribute(!read.copyable || !profile.knowsCopyable, "CKA_COPYABLE is true");
  requireUsage(read, key.wraps.has_value());
  requireAttribute(
      !profile.knowsAllowedMechanisms || onlyMechanism(session, object) == onlyMechanismOf(key, profile),
      "CKA_ALLOWED_MECHANISMS is not the one mechanism");
}

std::vector<CK_OBJECT_HANDLE> findClusterKey(Session& session, const KeyName& name) {
  ObjectTemplate query;
  query.number(CKA_CLASS, CKO_SECRET_KEY).bytes(CKA_ID, name.id);
  Search search(session, query.data(), query.size());
  std::vector<CK_OBJECT_HANDLE> found;
  for (auto more = search.next(kMostOfOneName); !more.empty();
       more = search.next(kMostOfOneName - found.size())) {
    found.insert(found.end(), more.begin(), more.end());
    if (found.size() == kMostOfOneName) break;
  }
  return found;
}

}  // namespace holdfast
