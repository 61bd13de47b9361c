#include "ceremony.h"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <utility>

#include "failure.h"

namespace holdfast {
namespace {

/// The token that makes the keys encrypts them for all others, so they must agree on the hash of OAEP. Every
/// module takes SHA-1, which is safe there (RFC 8017 §7.1).
std::vector<CeremonyMember> withCommonOaep(std::vector<CeremonyMember> members) {
  const auto first = members.empty() ? Profile().oaepHash : members.front().profile.oaepHash;
  const auto agrees = [first](const auto& member) { return member.profile.oaepHash == first; };
  if (std::ranges::all_of(members, agrees)) return members;
  for (auto& member : members) {
    member.profile.oaepHash = CKM_SHA_1;
    member.profile.oaepMask = CKG_MGF1_SHA1;
  }
  return members;
}

}  // namespace

Ceremony::Ceremony(Generation generation, std::vector<CeremonyMember> members, bool enforced)
    : generation_(std::move(generation)),
      members_(withCommonOaep(std::move(members))),
      enforced_(enforced),
      tokens_(members_.size()) {
  if (members_.empty()) throw failure(FailureKind::kTokenMissing, "a ceremony needs a member");
  std::set<std::string> serialNumbers;
  for (const auto& member : members_) {
    if (!serialNumbers.insert(member.token->serialNumber()).second)
      throw failure(FailureKind::kTokenMissing, "two members are one token: " + member.name);
  }
}

template <typename Step>
void Ceremony::forEachMember(const Step& step) {
  for (size_t i = 0; i < tokens_.size(); ++i) {
    if (!tokens_[i]) throw std::logic_error("logIn comes first, for every member");
    try {
      step(i, *tokens_[i]);
    } catch (const Failure& failure) {
      throw withMember(failure, static_cast<int>(i));
    }
  }
}

void Ceremony::logIn(size_t member, const Secret& pin) {
  try {
    tokens_.at(member) = std::make_unique<CeremonyToken>(members_.at(member), pin);
  } catch (const Failure& failure) {
    throw withMember(failure, static_cast<int>(member));
  }
}

bool Ceremony::anyHasMark() {
  bool found = false;
  forEachMember([&](size_t, CeremonyToken& token) { found = token.mark(generation_) || found; });
  return found;
}

bool Ceremony::anyMarksLater() {
  bool found = false;
  forEachMember([&](size_t, CeremonyToken& token) { found |= token.marksLater(); });
  return found;
}

bool Ceremony::waitForMarks() {
  if (!anyMarksLater()) return false;
  try {
    static_cast<void>(requireSameKeys());
    return true;
  } catch (const Failure& failure) {
    if (failure.kind == FailureKind::kMaterialMissing || failure.kind == FailureKind::kMaterialMismatch ||
        failure.kind == FailureKind::kMaterialAmbiguous)
      return false;
    throw;
  }
}

std::vector<CarryKeyFingerprint> Ceremony::prepare(bool anew) {
  std::vector<CarryKeyFingerprint> fingerprints;
  present_ = anyHasMark() || (!anew && waitForMarks());
  areUnconfirmed_ = present_ && anyMarksLater();
  if (present_) return fingerprints;
  forEachMember([&](size_t, CeremonyToken& token) { token.discard(generation_); });
  forEachMember([&](size_t i, CeremonyToken& token) {
    const auto& member = members_[i];
    fingerprints.push_back({member.name, member.token->serialNumber(), fingerprintOf(token.makeCarryKey())});
  });
  return fingerprints;
}

void Ceremony::carry() {
  std::vector<const CeremonyToken*> recipients;
  for (const auto& token : tokens_) {
    if (!token->hasCarryKey()) throw std::logic_error("prepare comes first");
    recipients.push_back(token.get());
  }
  std::vector<CarriedKeys> carried;
  try {
    carried = tokens_.front()->makeKeys(recipients);
  } catch (const Failure& failure) {
    throw withMember(failure, 0);
  }
  forEachMember([&](size_t i, CeremonyToken& token) { token.install(generation_, carried[i]); });
}

Sha256 Ceremony::requireSameKeys() {
  std::vector<Sha256> digests;
  forEachMember([&](size_t, CeremonyToken& token) {
    digests.push_back(token.digestOf(generation_));
    const auto mark = token.mark(generation_);
    if (mark && mark->enforced != enforced_)
      throw badOutput(Function::C_GetAttributeValue, "the mark says otherwise whether trust is enforced");
    if (digests.back() != digests.front() || (mark && mark->digest != digests.front()))
      throw failure(FailureKind::kMaterialMismatch, "the members do not have the same cluster keys");
  });
  return digests.front();
}

std::vector<UnmarkedKey> Ceremony::unmarkedKeys() {
  std::vector<UnmarkedKey> unmarked;
  forEachMember([&](size_t i, CeremonyToken& token) {
    for (auto& name : token.unmarked(generation_))
      unmarked.push_back({members_[i].name, members_[i].token->serialNumber(), std::move(name)});
  });
  return unmarked;
}

CarriedKeysState Ceremony::complete() {
  if (!present_ && !anyHasMark()) carry();
  present_ = true;
  const Sha256 digest = requireSameKeys();
  if (digest_ && *digest_ != digest)
    throw failure(FailureKind::kMaterialMismatch, "the cluster keys were replaced while they waited");
  digest_ = digest;
  auto unmarked = unmarkedKeys();
  if (std::exchange(areUnconfirmed_, false) || !unmarked.empty()) return {digest, std::move(unmarked), false};
  const Mark wanted{digest, enforced_};
  forEachMember([&](size_t, CeremonyToken& token) {
    if (!token.mark(generation_)) token.writeMark(generation_, wanted);
    if (token.mark(generation_) != wanted)
      throw badOutput(Function::C_CreateObject, "the mark of the generation is not there");
  });
  return {digest, {}, true};
}

}  // namespace holdfast
