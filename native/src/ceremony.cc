#include "ceremony.h"

#include <set>
#include <stdexcept>
#include <utility>

#include "failure.h"

namespace holdfast {

Ceremony::Ceremony(Generation generation, std::vector<CeremonyMember> members)
    : generation_(std::move(generation)), members_(std::move(members)), tokens_(members_.size()) {
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

void Ceremony::logIn(size_t member, const Secret& officerPin) {
  try {
    tokens_.at(member) = std::make_unique<CeremonyToken>(members_.at(member), officerPin);
  } catch (const Failure& failure) {
    throw withMember(failure, static_cast<int>(member));
  }
}

bool Ceremony::anyHasMark() {
  bool found = false;
  forEachMember([&](size_t, CeremonyToken& token) { found = token.mark(generation_) || found; });
  return found;
}

std::vector<CarryKeyFingerprint> Ceremony::prepare() {
  std::vector<CarryKeyFingerprint> fingerprints;
  if (anyHasMark()) return fingerprints;
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
    if (digests.back() != digests.front() || (mark && *mark != digests.front()))
      throw failure(FailureKind::kMaterialMismatch, "the members do not have the same cluster keys");
  });
  return digests.front();
}

Sha256 Ceremony::complete() {
  if (!anyHasMark()) carry();
  const Sha256 digest = requireSameKeys();
  forEachMember([&](size_t, CeremonyToken& token) {
    if (!token.mark(generation_)) token.writeMark(generation_, digest);
    if (token.mark(generation_) != digest)
      throw badOutput(Function::C_CreateObject, "the mark of the generation is not there");
  });
  return digest;
}

}  // namespace holdfast
