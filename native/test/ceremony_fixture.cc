#include "ceremony_fixture.h"

#include <utility>

#include "search.h"
#include "slot_scan.h"
#include "threads.h"

namespace holdfast {

Profile softHsmProfile() {
  Profile profile;
  profile.keyWrapWithPadding = CKM_AES_KEY_WRAP_PAD;
  profile.oaepHash = CKM_SHA_1;
  profile.oaepMask = CKG_MGF1_SHA1;
  profile.clusterKeysArePrivate = false;
  return profile;
}

TestMembers::TestMembers(size_t count, CK_ULONG carryKeyBits) : carryKeyBits_(carryKeyBits) {
  for (size_t i = 0; i < count; ++i) tokens_.push_back(std::make_unique<TestToken>());
}

std::vector<CeremonyMember> TestMembers::open() const {
  std::vector<CeremonyMember> members;
  Threads threads;
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const auto module = Module::open(tokens_[i]->faultyModule());
    auto token = Token::find(module, {TestToken::kLabel, std::nullopt}, SlotScan(threads), after(20'000));
    members.push_back({"member-" + std::to_string(i), std::move(token), softHsmProfile(), KeyMaker::kOfficer,
                       carryKeyBits_});
  }
  threads.join(after(20'000));
  return members;
}

Sha256 TestMembers::run(const Generation& generation) const {
  Ceremony ceremony(generation, open());
  logInAll(ceremony, size());
  static_cast<void>(ceremony.prepare());
  return ceremony.complete().digest;
}

void TestMembers::heal() const {
  for (const auto& token : tokens_) token->heal();
}

void logInAll(Ceremony& ceremony, size_t members) {
  for (size_t i = 0; i < members; ++i) ceremony.logIn(i, Secret(bytesOf(TestMembers::kOfficerPin)));
}

UserSession::UserSession(CeremonyMember member) : member_(std::move(member)), session_(*member_.token) {
  member_.token->login(Secret(bytesOf(TestToken::kPin)), after(20'000));
}

size_t UserSession::objects() {
  Search search(session_, nullptr, 0);
  size_t count = 0;
  for (auto more = search.next(64); !more.empty(); more = search.next(64)) count += more.size();
  return count;
}

CK_OBJECT_HANDLE UserSession::wrappingKey(const Generation& generation, WrappingKeyKind kind) {
  const auto& key = clusterKeyFor(kind);
  const KeyName name = nameOf(generation, key);
  const auto found = findClusterKey(session_, name);
  if (found.size() != 1) throw std::runtime_error("there is not one key " + name.label);
  requireClusterKey(session_, found[0], key, name, member_.profile);
  return found[0];
}

}  // namespace holdfast
