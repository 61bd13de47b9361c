#include "nonces.h"

#include <set>

#include "core_fixture.h"

namespace holdfast {
namespace {

/// One lane in front of the fault-injecting module. The first nonce went into the canary.
struct OneLane {
  OneLane() : member(pool.connect(token.faultyModule(), {1, 1})), key(pool.makeKey(member)) {}

  Outcome tryEncrypt() { return pool.run(member, makeEncrypt(key, Secret(Bytes(8)), {})); }
  Nonce encrypt() { return valueOf<EncryptedData>(tryEncrypt()).nonce; }
  /// How many nonces were used since the canary took the first of the first block.
  int draws() const { return token.calls("C_GenerateRandom") - before; }
  void loginAgain() {
    auto login = pool.start([&](const auto& answer) {
      pool.pool().loginMember(answer, member, Secret(bytesOf(TestToken::kPin)), after(20'000));
    });
    valueOf<uint64_t>(login.get());
  }

  TestToken token;
  TestPool pool;
  int member;
  MaterialPointer key;
  int before = token.calls("C_GenerateRandom");
};

TEST(Nonces, NoNonceIsGivenTwice) {
  OneLane lane;
  std::set<Nonce> seen;
  constexpr size_t count = 3 * NonceStock::kBlock - 1;
  for (size_t i = 0; i < count; ++i) seen.insert(lane.encrypt());
  EXPECT_EQ(seen.size(), count);
  EXPECT_EQ(lane.draws(), 2);
}

TEST(Nonces, AnEpochTakesNoNonceFromThePreviousOne) {
  OneLane lane;
  const Nonce before = lane.encrypt();
  EXPECT_EQ(lane.draws(), 0);
  lane.loginAgain();
  EXPECT_NE(lane.encrypt(), before);
  EXPECT_EQ(lane.draws(), 1);
}

TEST(Nonces, AnEncryptionThatFailsHasSpentItsNonce) {
  OneLane lane;
  lane.token.obey("C_Encrypt rv 0x20");
  for (size_t i = 1; i < NonceStock::kBlock; ++i)
    EXPECT_EQ(failureOf(lane.tryEncrypt()).rv, CKR_DATA_INVALID);
  EXPECT_EQ(lane.draws(), 0);
  lane.token.heal();
  lane.encrypt();
  EXPECT_EQ(lane.draws(), 1);
}

TEST(Nonces, WithoutANonceNothingIsEncrypted) {
  OneLane lane;
  std::set<Nonce> seen = {lane.encrypt()};
  // A token that fails, and one that answers OK and writes nothing.
  for (const char* const rule : {"C_GenerateRandom rv 0x5", "C_GenerateRandom rv 0x0"}) {
    lane.loginAgain();
    // The handle is proved again before the encryption, so only the encryption's own call counts.
    valueOf<std::monostate>(lane.pool.run(lane.member, makeProbe(lane.key)));
    lane.token.obey(rule);
    const int encryptions = lane.token.calls("C_EncryptInit");
    const auto failed = failureOf(lane.tryEncrypt());
    EXPECT_EQ(failed.function, Function::C_GenerateRandom);
    EXPECT_EQ(lane.token.calls("C_EncryptInit"), encryptions);
    lane.token.heal();
    EXPECT_TRUE(seen.insert(lane.encrypt()).second);
  }
}

}  // namespace
}  // namespace holdfast
