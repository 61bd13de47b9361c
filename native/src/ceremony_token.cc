#include "ceremony_token.h"

#include "attributes.h"
#include "cluster_key_check.h"
#include "failure.h"

namespace holdfast {
namespace {

/// An original can be extracted until it is destroyed; it can do nothing itself.
ObjectTemplate originalTemplate(const ClusterKey& key, const Profile& profile) {
  ObjectTemplate wanted;
  wanted.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, key.keyType);
  wanted.number(CKA_VALUE_LEN, kClusterKeyLength);
  wanted.flag(CKA_TOKEN, false).flag(CKA_PRIVATE, profile.officerMakesPrivateObjects);
  wanted.flags({CKA_SENSITIVE, CKA_EXTRACTABLE}, true);
  return std::move(wanted.flags(
      {CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE}, false));
}

void requireOriginal(const KeyAttributes& read, const ClusterKey& key) {
  const bool isAsked = read.objectClass == CKO_SECRET_KEY && read.keyType == key.keyType && !read.isToken &&
                       read.sensitive && read.local && read.valueLength == kClusterKeyLength;
  const bool isIdle = !read.encrypt && !read.decrypt && !read.sign && !read.verify && !read.wrap &&
                      !read.unwrap && !read.derive;
  if (!isAsked || !isIdle) throw badOutput(Function::C_GenerateKey, "a cluster key is not as requested");
}

}  // namespace

CeremonyToken::CeremonyToken(const CeremonyMember& member, const Secret& officerPin)
    : member_(member), officer_(*member.token, officerPin) {}

std::optional<Sha256> CeremonyToken::mark(const Generation& generation) {
  auto found = readMark(officer_.session(), generation);
  if (!found) officer_.proveAlive();
  return found;
}

void CeremonyToken::writeMark(const Generation& generation, const Sha256& digest) {
  holdfast::writeMark(officer_.session(), generation, digest);
}

void CeremonyToken::discard(const Generation& generation) {
  for (const auto& key : kClusterKeys) {
    const KeyName name = nameOf(generation, key);
    for (const CK_OBJECT_HANDLE object : findClusterKey(officer_.session(), name)) {
      const auto read = readSummary(officer_.session(), object);
      if (read && !read->isOf({CKO_SECRET_KEY, name.id}))
        throw badOutput(Function::C_FindObjects, "the search gave an object with another CKA_ID or class");
      destroy(object);
    }
    if (!findClusterKey(officer_.session(), name).empty())
      throw badOutput(Function::C_DestroyObject, "a cluster key still exists after it was destroyed");
  }
  officer_.proveAlive();
}

const RsaPublicKey& CeremonyToken::makeCarryKey() {
  return carryKey_.emplace(officer_.session(), member_.profile, member_.carryKeyBits).publicKey();
}

std::vector<CarriedKeys> CeremonyToken::makeKeys(const std::vector<const CeremonyToken*>& recipients) {
  std::vector<CarriedKeys> carried(recipients.size());
  for (size_t i = 0; i < kClusterKeys.size(); ++i) {
    const CK_OBJECT_HANDLE original = makeOriginal(kClusterKeys[i]);
    for (size_t recipient = 0; recipient < recipients.size(); ++recipient) {
      const auto& to = *recipients[recipient];
      const CarryKeyElsewhere theirs(officer_.session(), to.carryKey_->publicKey(), to.member_.profile);
      carried[recipient][i] = theirs.wrap(original);
    }
    destroy(original);
  }
  return carried;
}

void CeremonyToken::install(const Generation& generation, const CarriedKeys& keys) {
  for (size_t i = 0; i < kClusterKeys.size(); ++i) {
    const KeyName name = nameOf(generation, kClusterKeys[i]);
    auto wanted = clusterKeyTemplate(kClusterKeys[i], name, member_.profile);
    const CK_OBJECT_HANDLE made = carryKey_->unwrap(keys[i], wanted);
    requireClusterKey(officer_.session(), made, kClusterKeys[i], name, member_.profile);
  }
}

Sha256 CeremonyToken::digestOf(const Generation& generation) {
  Bytes values;
  for (const auto& key : kClusterKeys) {
    const KeyName name = nameOf(generation, key);
    const CK_OBJECT_HANDLE object = findOne(name);
    requireClusterKey(officer_.session(), object, key, name, member_.profile);
    const auto value = checkValueOf(officer_.session(), object, key, member_.profile);
    values.insert(values.end(), value.begin(), value.end());
  }
  return sha256(values);
}

CK_OBJECT_HANDLE CeremonyToken::makeOriginal(const ClusterKey& key) {
  auto wanted = originalTemplate(key, member_.profile);
  auto& session = officer_.session();
  CK_MECHANISM mechanism{key.generation, nullptr, 0};
  CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
  check(Function::C_GenerateKey,
        session.functions().C_GenerateKey(session.handle(), &mechanism, wanted.data(), wanted.size(), &made));
  if (made == CK_INVALID_HANDLE) throw badOutput(Function::C_GenerateKey, "a cluster key has no handle");
  requireOriginal(readKeyAttributes(session, made), key);
  return made;
}

CK_OBJECT_HANDLE CeremonyToken::findOne(const KeyName& name) {
  const auto found = findClusterKey(officer_.session(), name);
  if (found.empty()) {
    officer_.proveAlive();
    throw failure(FailureKind::kMaterialMissing, "the token has no key " + name.label);
  }
  if (found.size() > 1)
    throw failure(FailureKind::kMaterialAmbiguous, "the token has more than one key " + name.label);
  return found.front();
}

void CeremonyToken::destroy(CK_OBJECT_HANDLE object) {
  auto& session = officer_.session();
  check(Function::C_DestroyObject, session.functions().C_DestroyObject(session.handle(), object));
}

}  // namespace holdfast
