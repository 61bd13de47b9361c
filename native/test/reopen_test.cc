#include "core_fixture.h"

namespace holdfast {
namespace {

/// Reopens a member, logs in, takes the inventory and resumes.
void reconnect(TestPool& pool, int member) {
  EXPECT_EQ(valueOf<MemberOpened>(pool.reopen(member)).member, member);
  valueOf<uint64_t>(pool.logIn(member));
  pool.admit(member);
}

TEST(Reopen, AMemberIsOpenedForTheFirstTime) {
  const TestToken token;
  TestPool pool;
  const int member = pool.pool().addMember({token.module(), {TestToken::kLabel, std::nullopt}, {2, 2}});
  EXPECT_EQ(failureOf(pool.run(member, makeRandom(8))).kind, FailureKind::kNoMember);
  EXPECT_EQ(failureOf(pool.logIn(member)).kind, FailureKind::kNoMember);
  EXPECT_EQ(pool.statistics(member).openings, 0);
  reconnect(pool, member);
  valueOf<Secret>(pool.run(member, makeRandom(8)));
  EXPECT_EQ(pool.statistics(member).openings, 1);
}

TEST(Reopen, ATokenThatWentAwayServesAgainWhileItsNeighbourWorks) {
  const TestToken lost;
  const TestToken other;
  TestPool pool;
  const int member = pool.connect(lost.module());
  const int neighbour = pool.connect(other.module());
  const auto key = pool.makeKey(member);
  const auto encrypted = valueOf<EncryptedData>(pool.run(member, makeEncrypt(key, Secret(bytesOf("x")), {})));
  const uint64_t epoch = pool.statistics(member).epoch;
  for (int round = 0; round < 3; ++round) {
    std::filesystem::rename(lost.folder() / "tokens", lost.folder() / "away");
    EXPECT_EQ(failureOf(pool.run(member, makeProbe(key))).rv, CKR_DEVICE_REMOVED);
    failureOf(pool.reopen(member));
    valueOf<Secret>(pool.run(neighbour, makeRandom(8)));
    std::filesystem::rename(lost.folder() / "away", lost.folder() / "tokens");
    reconnect(pool, member);
    valueOf<Secret>(pool.run(member, makeDecrypt(key, Bytes(encrypted.nonce.begin(), encrypted.nonce.end()),
                                                 encrypted.ciphertext, {})));
  }
  EXPECT_GT(pool.statistics(member).epoch, epoch);
  EXPECT_EQ(pool.statistics(member).logins, 4U);
  EXPECT_EQ(pool.statistics(member).openings, 1);
  EXPECT_EQ(pool.close(), 0U);
}

TEST(Reopen, ASharedInstanceIsFinalisedWhenUnused) {
  const TestToken token;
  TestPool pool;
  const int one = pool.connect(token.module(false));
  const int two = pool.connect(token.module(false));
  std::filesystem::rename(token.folder() / "tokens", token.folder() / "away");
  // The slot shows a token that does not answer, and initialising again is not possible.
  EXPECT_EQ(failureOf(pool.reopen(one)).function, Function::C_GetTokenInfo);
  std::filesystem::rename(token.folder() / "away", token.folder() / "tokens");
  // The other member still uses the instance, in which SoftHSM no longer finds the token.
  EXPECT_EQ(failureOf(pool.reopen(one)).function, Function::C_GetTokenInfo);
  reconnect(pool, two);
  reconnect(pool, one);
  valueOf<Secret>(pool.run(one, makeRandom(8)));
  EXPECT_EQ(pool.close(), 0U);
}

TEST(Reopen, HungCallsAreAbandonedWithinABound) {
  const TestToken token;
  TestPool pool;
  const int member = pool.connect(token.faultyModule(), {2, 2});
  for (int openings = 1; openings <= 2; ++openings) {
    token.obey("C_GenerateRandom hang");
    EXPECT_EQ(failureOf(pool.run(member, makeRandom(8), after(50))).kind, FailureKind::kLaneDeadline);
    EXPECT_EQ(valueOf<MemberOpened>(pool.reopen(member, after(2'000))).member, member);
    valueOf<uint64_t>(pool.logIn(member));
    EXPECT_EQ(pool.statistics(member).openings, openings + 1);
  }
  EXPECT_EQ(failureOf(pool.run(member, makeRandom(8), after(50))).kind, FailureKind::kLaneDeadline);
  EXPECT_EQ(failureOf(pool.reopen(member, after(500))).kind, FailureKind::kStuck);
  // The openings are counted even while the member is not open.
  EXPECT_EQ(pool.statistics(member).openings, 3);
  token.heal();
  EXPECT_TRUE(eventually([&] { return pool.statistics(member).openings == 0; }));
  reconnect(pool, member);
  valueOf<Secret>(pool.run(member, makeRandom(8)));
  EXPECT_EQ(pool.close(), 0U);
}

TEST(Reopen, OpeningsThatHangAreBoundedAndCountedAtClose) {
  const TestToken token;
  TestPool pool;
  const int member =
      pool.pool().addMember({token.faultyModule(), {TestToken::kLabel, std::nullopt}, {1, 1}, 1});
  token.obey("C_Initialize hang");
  EXPECT_EQ(failureOf(pool.reopen(member, after(50))).kind, FailureKind::kLaneDeadline);
  EXPECT_EQ(failureOf(pool.reopen(member, after(50))).kind, FailureKind::kLaneDeadline);
  EXPECT_EQ(failureOf(pool.reopen(member, after(5'000))).kind, FailureKind::kStuck);
  EXPECT_EQ(pool.close(after(50)), 2U);
  token.heal();
}

TEST(Reopen, EverySlotThatHangsIsCountedAtClose) {
  const TestToken token;
  TestPool pool;
  const int member = pool.pool().addMember({token.faultyModule(), {TestToken::kLabel, std::nullopt}, {1, 1}});
  token.obey("C_GetTokenInfo hang");
  auto opening =
      pool.start([&](const auto& answer) { pool.pool().reopenMember(answer, member, after(4'000)); });
  // SoftHSM has a second slot, with a token that nobody initialised: another thread asks that one.
  ASSERT_TRUE(eventually([&] { return token.calls("C_GetTokenInfo") == 2; }));
  EXPECT_EQ(pool.close(after(50)), 2U);
  token.heal();
  failureOf(opening.get());
}

TEST(Reopen, ACopyWhoseFinalisationFailedIsFinalisedBeforeItServesAgain) {
  const TestToken one;
  const TestToken two;
  TestPool pool;
  pool.connect(one.faultyModule());
  one.obey("* rv 0x30");
  EXPECT_EQ(pool.close(), 0U);
  TestPool another;
  const int member = another.connect(two.faultyModule());
  valueOf<Secret>(another.run(member, makeRandom(8)));
}

TEST(Reopen, AHungInitialisationBlocksOnlyItself) {
  const TestToken hung;
  const TestToken well;
  TestPool pool;
  hung.obey("C_Initialize hang");
  const int member = pool.pool().addMember({hung.faultyModule(), {TestToken::kLabel, std::nullopt}, {1, 1}});
  auto opening =
      pool.start([&](const auto& answer) { pool.pool().reopenMember(answer, member, after(20'000)); });
  ASSERT_TRUE(eventually([&] { return hung.calls("C_Initialize") == 1; }));
  const int other = pool.connect(well.module());
  valueOf<Secret>(pool.run(other, makeRandom(8)));
  hung.heal();
  EXPECT_EQ(valueOf<MemberOpened>(opening.get()).member, member);
  EXPECT_EQ(std::getenv("SOFTHSM2_CONF"), nullptr);
}

TEST(Reopen, CallsOfAnEarlierOpeningAreAnsweredByTheirDeadline) {
  const TestToken token;
  TestPool pool;
  const int member = pool.connect(token.faultyModule(), {2, 2});
  token.obey("C_GenerateRandom hang");
  const uint64_t epoch = pool.statistics(member).epoch;
  auto running = pool.post(member, makeRandom(8), after(1'000));
  ASSERT_TRUE(eventually([&] { return token.calls("C_GenerateRandom") == 1; }));
  valueOf<MemberOpened>(pool.reopen(member, after(400)));
  valueOf<uint64_t>(pool.logIn(member));
  const auto late = failureOf(running.get());
  EXPECT_EQ(late.kind, FailureKind::kLaneDeadline);
  // The late answer says nothing about the opening that serves now.
  EXPECT_EQ(late.epoch, epoch);
  EXPECT_EQ(pool.statistics(member).quarantinedLanes, 0);
  token.heal();
  EXPECT_EQ(pool.close(), 0U);
}

/// A call of the previous opening reports only now that its session is lost. The next opening's handles do
/// not belong to the instance that the call is in.
TEST(Reopen, ACallOfAnEarlierOpeningThatLostItsSessionDoesNotGoOn) {
  const TestToken token;
  for (const bool loggedIn : {false, true}) {
    TestPool pool;
    const int member = pool.connect(token.faultyModule(), {2, 2});
    const auto key = pool.makeKey(member);
    token.obey("C_EncryptInit hang");
    auto running = pool.post(member, makeEncrypt(key, Secret(Bytes(8)), {}));
    ASSERT_TRUE(eventually([&] { return token.inside("C_EncryptInit") == 1; }));
    valueOf<MemberOpened>(pool.reopen(member, after(2'000)));
    if (loggedIn) valueOf<uint64_t>(pool.logIn(member));
    const int before = token.calls("C_EncryptInit");
    token.obey("C_EncryptInit times 1 lose-sessions");
    EXPECT_EQ(failureOf(running.get()).kind, FailureKind::kNoMember);
    EXPECT_EQ(token.calls("C_EncryptInit"), before);
    token.heal();
    EXPECT_EQ(pool.close(), 0U);
  }
}

}  // namespace
}  // namespace holdfast
