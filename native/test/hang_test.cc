#include "core_fixture.h"
#include "file_lock.h"

namespace holdfast {
namespace {

/// A call that hangs for ever blocks what it holds, and nothing else. The first call of a function hangs and
/// later ones do not, as with an HSM that lost one answer.

constexpr auto kOperationTimeout = std::chrono::milliseconds(150);

/// Runs on a private instance and on a shared one.
class Hang : public testing::TestWithParam<bool> {
 public:
  Hang() {
    pool_.pool().setOperationTimeout(kOperationTimeout, [](const Failure&) {});
    module_.privateInstance = GetParam();
  }
  ~Hang() override { token_.heal(); }

 protected:
  int connect() { return pool_.connect(module_, {2, 2}); }
  void hangOnce(const std::string& function) { token_.obey(function + " times 1 hang"); }
  /// Called after work that would still be waiting if it depended on the hanging call.
  void expectHanging(const std::string& function) { EXPECT_EQ(token_.inside(function), 1) << function; }
  /// Uses sessions, the login, and all that finds or makes objects.
  void expectServes(int member) {
    const auto key = pool_.makeKey(member);
    valueOf<std::monostate>(pool_.run(member, makeProbe(key)));
    valueOf<uint64_t>(pool_.run(member, makeDestroyKey(key->identity)));
    pool_.admit(member);
    valueOf<Secret>(pool_.run(member, makeRandom(8)));
  }
  void reconnect(int member) {
    valueOf<MemberOpened>(pool_.reopen(member, after(2'000)));
    valueOf<uint64_t>(pool_.logIn(member));
    pool_.admit(member);
  }

  TestToken token_;
  ModuleOptions module_ = token_.faultyModule();
  TestPool pool_;
};

TEST_P(Hang, InKeyGenerationDoesNotBlockOtherObjects) {
  const int member = connect();
  hangOnce("C_GenerateKey");
  const auto late =
      failureOf(pool_.run(member, makeGenerateKey(Bytes(32, 1), "key", bytesOf("known"), {}), after(150)));
  EXPECT_EQ(late.kind, FailureKind::kLaneDeadline);
  pool_.pool().resume(member);
  expectServes(member);
  expectHanging("C_GenerateKey");
}

TEST_P(Hang, InKeyGenerationDoesNotBlockAReopenedMember) {
  const int member = connect();
  hangOnce("C_GenerateKey");
  // The lane is not quarantined yet when the member is opened again: the operation timeout has not passed.
  pool_.pool().setOperationTimeout(std::chrono::minutes(1), [](const Failure&) {});
  auto pending = pool_.post(member, makeGenerateKey(Bytes(32, 1), "key", bytesOf("known"), {}), after(200));
  ASSERT_TRUE(eventually([&] { return token_.inside("C_GenerateKey") == 1; }));
  reconnect(member);
  expectServes(member);
  EXPECT_EQ(failureOf(pending.get()).kind, FailureKind::kOverdue);
  expectHanging("C_GenerateKey");
}

TEST_P(Hang, InAnInventoryDoesNotBlockKeyGeneration) {
  const int member = connect();
  hangOnce("C_FindObjects");
  auto inventory =
      pool_.start([&](const auto& answer) { pool_.pool().inventory(answer, member, after(150)); }).get();
  EXPECT_EQ(failureOf(std::move(inventory)).kind, FailureKind::kLaneDeadline);
  expectServes(member);
  expectHanging("C_FindObjects");
}

TEST_P(Hang, BeforeC_LoginLetsTheNextLoginTry) {
  const int member = pool_.pool().addMember({module_, {TestToken::kLabel, std::nullopt}, {2, 2}, 2});
  valueOf<MemberOpened>(pool_.reopen(member));
  const auto lockOfPin = [&](int milliseconds) {
    return FileLock::ofLogin("serial", "version", (token_.folder() / "locks").string(), after(milliseconds));
  };
  hangOnce("C_OpenSession");
  auto login = pool_.start([&](const auto& answer) {
    pool_.pool().loginMember(answer, member, Secret(bytesOf(TestToken::kPin)), after(200), lockOfPin(1'000));
  });
  EXPECT_EQ(failureOf(login.get()).kind, FailureKind::kLaneDeadline);
  // C_Login was not called, and the hanging thread will never call it, so the PIN may be tried again.
  EXPECT_NO_THROW(lockOfPin(0));
  valueOf<uint64_t>(pool_.logIn(member));
  pool_.admit(member);
  expectServes(member);
  expectHanging("C_OpenSession");
  token_.heal();
  EXPECT_EQ(pool_.close(), 0U);
  EXPECT_EQ(token_.calls("C_Login"), 1);
}

TEST_P(Hang, InC_LoginKeepsItsPinFromBeingTried) {
  const int member = pool_.pool().addMember({module_, {TestToken::kLabel, std::nullopt}, {2, 2}, 2});
  valueOf<MemberOpened>(pool_.reopen(member));
  const auto lockOfPin = [&](int milliseconds) {
    return FileLock::ofLogin("serial", "version", (token_.folder() / "locks").string(), after(milliseconds));
  };
  hangOnce("C_Login");
  auto login = pool_.start([&](const auto& answer) {
    pool_.pool().loginMember(answer, member, Secret(bytesOf(TestToken::kPin)), after(200), lockOfPin(1'000));
  });
  EXPECT_EQ(failureOf(login.get()).kind, FailureKind::kLaneDeadline);
  EXPECT_THROW(lockOfPin(50), Failure);
  token_.heal();
  EXPECT_TRUE(eventually([&] { return token_.inside("C_Login") == 0; }));
  EXPECT_NO_THROW(lockOfPin(1'000));
}

TEST_P(Hang, AtCloseIsCounted) {
  for (const char* const function : {"C_CloseSession", "C_Finalize"}) {
    TestPool pool;
    const int member = pool.connect(module_, {2, 2});
    token_.obey(std::string(function) + " hang");
    EXPECT_GE(pool.close(after(300)), 1U) << function;
    EXPECT_GE(token_.inside(function), 1);
    EXPECT_GE(pool.close(after(0)), 1U) << function;
    token_.heal();
    EXPECT_EQ(pool.close(), 0U);
    EXPECT_EQ(token_.inside(function), 0);
    EXPECT_EQ(pool.statistics(member).member, -1);
  }
}

INSTANTIATE_TEST_SUITE_P(Instances, Hang, testing::Values(true, false),
                         [](const auto& instance) { return instance.param ? "private" : "shared"; });

TEST(HangOnce, OfOneMemberAtCloseDoesNotKeepOthersOpen) {
  const TestToken hung;
  const TestToken well;
  TestPool pool;
  pool.connect(hung.faultyModule());
  pool.connect(well.faultyModule());
  hung.obey("C_Finalize hang");
  auto closing = pool.start([&](const auto& answer) { pool.pool().close(answer, after(20'000)); });
  EXPECT_TRUE(eventually([&] { return hung.inside("C_Finalize") == 1; }));
  EXPECT_TRUE(eventually([&] { return well.calls("C_Finalize") == 1; }));
  hung.heal();
  EXPECT_EQ(valueOf<uint64_t>(closing.get()), 0U);
}

/// The module decides which slot comes first, so the slot that hangs may be the first or the second.
TEST(HangOnce, OfASlotBlocksOnlyItsOwnToken) {
  const TestToken token;
  token.addToken("beta");
  auto module = token.faultyModule();
  module.privateInstance = false;
  TestPool pool;
  const auto add = [&](const char* label) {
    return pool.pool().addMember({module, {label, std::nullopt}, {1, 1}, 2});
  };
  const int members[] = {add("alpha"), add("beta")};
  token.obey("C_GetTokenInfo times 1 hang");
  int open = 0;
  for (const int member : members) {
    auto outcome = pool.reopen(member, after(2'000));
    if (std::holds_alternative<Success>(outcome)) {
      ++open;
      valueOf<uint64_t>(pool.logIn(member));
      pool.admit(member);
      valueOf<Secret>(pool.run(member, makeRandom(8)));
    } else {
      EXPECT_EQ(failureOf(std::move(outcome)).kind, FailureKind::kLaneDeadline);
    }
  }
  EXPECT_EQ(open, 1);
  EXPECT_EQ(token.inside("C_GetTokenInfo"), 1);
  // However often the token is looked for, the slot that hangs is asked once.
  for (const int member : members) pool.reopen(member, after(400));
  EXPECT_EQ(token.inside("C_GetTokenInfo"), 1);
  token.heal();
  EXPECT_TRUE(eventually([&] { return token.inside("C_GetTokenInfo") == 0; }));
  for (const int member : members) valueOf<MemberOpened>(pool.reopen(member));
  EXPECT_EQ(pool.close(), 0U);
}

}  // namespace
}  // namespace holdfast
