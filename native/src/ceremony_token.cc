#include "ceremony_token.h"

#include <utility>

#include "attributes.h"
#include "cluster_key_check.h"
#include "failure.h"
#include "search.h"

namespace holdfast {
namespace {

/// An original can be extracted until it is destroyed; it can do nothing itself.
ObjectTemplate originalTemplate(const ClusterKey& key, const Profile& profile) {
  ObjectTemplate wanted;
  wanted.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, key.keyType);
  wanted.number(CKA_VALUE_LEN, kClusterKeyLength);
  wanted.flag(CKA_TOKEN, false).flag(CKA_PRIVATE, profile.clusterKeysArePrivate);
  wanted.flags({CKA_SENSITIVE, CKA_EXTRACTABLE}, true);
  return std::move(wanted.flags(
      {CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE}, false));
}

void requireOriginal(const KeyAttributes& read, const ClusterKey& key, const Profile& profile) {
  const bool isAsked = read.objectClass == CKO_SECRET_KEY && read.keyType == key.keyType && !read.isToken &&
                       read.sensitive && (read.local || !profile.reportsLocal) &&
                       read.valueLength == kClusterKeyLength;
  const bool isIdle = !read.encrypt && !read.decrypt && !read.sign && !read.verify && !read.wrap &&
                      !read.unwrap && !read.derive;
  if (!isAsked || !isIdle) throw badOutput(Function::C_GenerateKey, "a cluster key is not as requested");
}

}  // namespace

CeremonyToken::CeremonyToken(const CeremonyMember& member, const Secret& pin)
    : member_(member), maker_(*member.token, pin, member.maker) {}

std::optional<Mark> CeremonyToken::mark(const Generation& generation) {
  auto found = readMark(maker_.session(), generation);
  if (!found) maker_.proveAlive();
  return found;
}

void CeremonyToken::writeMark(const Generation& generation, const Mark& mark) {
  holdfast::writeMark(maker_.session(), generation, mark, member_.profile.marksArePublicKeys);
}

void CeremonyToken::discard(const Generation& generation) {
  for (const auto& key : kClusterKeys) {
    const KeyName name = nameOf(generation, key);
    for (const CK_OBJECT_HANDLE object : findClusterKey(maker_.session(), name)) {
      const auto read = readSummary(maker_.session(), object);
      if (read && !read->isOf({CKO_SECRET_KEY, name.id}))
        throw badOutput(Function::C_FindObjects, "the search gave an object with another CKA_ID or class");
      destroy(object);
    }
    if (!findClusterKey(maker_.session(), name).empty())
      throw badOutput(Function::C_DestroyObject, "a cluster key still exists after it was destroyed");
  }
  maker_.proveAlive();
}

const RsaPublicKey& CeremonyToken::makeCarryKey() {
  return carryKey_.emplace(maker_.session(), member_.profile, member_.carryKeyBits).publicKey();
}

std::vector<CarriedKeys> CeremonyToken::makeKeys(const std::vector<const CeremonyToken*>& recipients) {
  std::vector<CarriedKeys> carried(recipients.size());
  for (size_t i = 0; i < kClusterKeys.size(); ++i) {
    const CK_OBJECT_HANDLE original = makeOriginal(kClusterKeys[i]);
    for (size_t recipient = 0; recipient < recipients.size(); ++recipient) {
      const auto& to = *recipients[recipient];
      const CarryKeyElsewhere theirs(maker_.session(), to.carryKey_->publicKey(), to.member_.profile);
      carried[recipient][i] = theirs.wrap(original);
    }
    destroy(original);
  }
  return carried;
}

void CeremonyToken::install(const Generation& generation, const CarriedKeys& keys) {
  for (size_t i = 0; i < kClusterKeys.size(); ++i) {
    const KeyName name = nameOf(generation, kClusterKeys[i]);
    auto wanted = clusterKeyTemplate(kClusterKeys[i], name, member_.profile, trust());
    const CK_OBJECT_HANDLE made = carryKey_->unwrap(keys[i], wanted);
    requireClusterKey(maker_.session(), made, kClusterKeys[i], name, member_.profile, trust());
  }
}

Sha256 CeremonyToken::digestOf(const Generation& generation) {
  Bytes values;
  for (const auto& key : kClusterKeys) {
    const KeyName name = nameOf(generation, key);
    const CK_OBJECT_HANDLE object = findOne(name);
    requireClusterKey(maker_.session(), object, key, name, member_.profile, trust());
    const auto value = checkValueOf(maker_.session(), object, key, member_.profile);
    values.insert(values.end(), value.begin(), value.end());
  }
  return sha256(values);
}

std::vector<KeyName> CeremonyToken::unmarked(const Generation& generation) {
  std::vector<KeyName> names;
  for (const auto& key : kClusterKeys) {
    KeyName name = nameOf(generation, key);
    if (marksLater()) requireOneOfLabel(name.label);
    if (!readKeyAttributes(maker_.session(), findOne(name)).trusted) names.push_back(std::move(name));
  }
  return names;
}

CK_OBJECT_HANDLE CeremonyToken::makeOriginal(const ClusterKey& key) {
  auto wanted = originalTemplate(key, member_.profile);
  auto& session = maker_.session();
  CK_MECHANISM mechanism{key.generation, nullptr, 0};
  CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
  check(Function::C_GenerateKey,
        session.functions().C_GenerateKey(session.handle(), &mechanism, wanted.data(), wanted.size(), &made));
  if (made == CK_INVALID_HANDLE) throw badOutput(Function::C_GenerateKey, "a cluster key has no handle");
  requireOriginal(readKeyAttributes(session, made), key, member_.profile);
  return made;
}

CK_OBJECT_HANDLE CeremonyToken::findOne(const KeyName& name) {
  const auto found = findClusterKey(maker_.session(), name);
  if (found.empty()) {
    maker_.proveAlive();
    throw failure(FailureKind::kMaterialMissing, "the token has no key " + name.label);
  }
  if (found.size() > 1)
    throw failure(FailureKind::kMaterialAmbiguous, "the token has more than one key " + name.label);
  return found.front();
}

void CeremonyToken::requireOneOfLabel(const std::string& label) {
  ObjectTemplate query;
  query.bytes(CKA_LABEL, {reinterpret_cast<const uint8_t*>(label.data()), label.size()});
  Search search(maker_.session(), query.data(), query.size());
  size_t found = search.next(2).size();
  if (found == 1) found += search.next(1).size();
  if (found > 1)
    throw failure(FailureKind::kMaterialAmbiguous, "the token has more than one object " + label);
}

void CeremonyToken::destroy(CK_OBJECT_HANDLE object) {
  auto& session = maker_.session();
  check(Function::C_DestroyObject, session.functions().C_DestroyObject(session.handle(), object));
}

}  // namespace holdfast
