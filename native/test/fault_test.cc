#include <atomic>
#include <future>

#include "core_fixture.h"

namespace holdfast {
namespace {

TEST(Fault, AHungCallIsAnsweredAndItsLaneReplaced) {
  const TestToken token;
  TestPool pool;
  const int member = pool.connect(token.faultyModule());
  const auto key = pool.makeKey(member);
  valueOf<std::monostate>(pool.run(member, makeProbe(key)));
  token.obey("C_Encrypt hang");
  const auto late = failureOf(pool.run(member, makeEncrypt(key, Secret(Bytes(8)), {}), after(100)));
  EXPECT_EQ(late.kind, FailureKind::kLaneDeadline);
  EXPECT_EQ(late.member, member);
  EXPECT_TRUE(eventually([&] { return pool.statistics(member).lanes == 2; }));
  EXPECT_EQ(pool.statistics(member).quarantinedLanes, 1);
  valueOf<Secret>(pool.run(member, makeRandom(8)));
  token.heal();
  EXPECT_TRUE(eventually([&] { return pool.statistics(member).quarantinedLanes == 0; }));
  valueOf<EncryptedData>(pool.run(member, makeEncrypt(key, Secret(Bytes(8)), {})));
  EXPECT_EQ(pool.close(), 0U);
}

TEST(Fault, ACallThatOutlivesItsRequestCostsNoLane) {
  const TestToken token;
  TestPool pool;
  const int member = pool.connect(token.faultyModule(), {1, 1});
  std::atomic<int> hung = 0;
  pool.pool().setOperationTimeout(std::chrono::seconds(20), [&](const Failure&) { ++hung; });
  token.obey("C_GenerateRandom hang");
  const auto late = failureOf(pool.run(member, makeRandom(8), after(50)));
  EXPECT_EQ(late.kind, FailureKind::kOverdue);
  EXPECT_EQ(late.member, member);
  EXPECT_EQ(pool.statistics(member).quarantinedLanes, 0);
  EXPECT_EQ(pool.statistics(member).running, 1);
  EXPECT_TRUE(pool.statistics(member).admitted);
  auto next = pool.post(member, makeRandom(8));
  token.heal();
  valueOf<Secret>(next.get());
  EXPECT_EQ(hung, 0);
}

TEST(Fault, ACancelledRequestThatWaitsNeverReachesTheToken) {
  const TestToken token;
  TestPool pool;
  const int member = pool.connect(token.faultyModule(), {1, 1});
  token.obey("C_GenerateRandom hang");
  auto running = pool.post(member, makeRandom(8), after(20'000), 7);
  EXPECT_TRUE(eventually([&] { return token.inside("C_GenerateRandom") == 1; }));
  auto pinned = pool.post(member, makeRandom(8), after(20'000), 8);
  auto shared = pool.post(Members::all(), makeRandom(8), after(20'000), 9);
  const int before = token.calls("C_GenerateRandom");
  for (const uint64_t ticket : {8, 9, 1'000}) pool.pool().cancel(ticket);
  EXPECT_EQ(failureOf(pinned.get()).kind, FailureKind::kCancelled);
  EXPECT_EQ(failureOf(shared.get()).kind, FailureKind::kCancelled);
  EXPECT_EQ(pool.statistics(member).queued, 0);
  // A request that is being executed is answered too, and its lane goes on.
  pool.pool().cancel(7);
  EXPECT_EQ(failureOf(running.get()).kind, FailureKind::kCancelled);
  EXPECT_EQ(pool.statistics(member).quarantinedLanes, 0);
  token.heal();
  EXPECT_TRUE(eventually([&] { return pool.statistics(member).running == 0; }));
  EXPECT_EQ(token.calls("C_GenerateRandom"), before);
  valueOf<Secret>(pool.run(member, makeRandom(8)));
}

TEST(Fault, AHungCallLosesItsLaneAfterTheOperationTimeoutAlthoughItsRequestWasAnswered) {
  const TestToken token;
  TestPool pool;
  const int member = pool.connect(token.faultyModule());
  std::promise<Failure> told;
  pool.pool().setOperationTimeout(std::chrono::milliseconds(500),
                                  [&](Failure failure) { told.set_value(std::move(failure)); });
  token.obey("C_GenerateRandom hang");
  EXPECT_EQ(failureOf(pool.run(member, makeRandom(8), after(20))).kind, FailureKind::kOverdue);
  auto hung = told.get_future();
  ASSERT_EQ(hung.wait_for(std::chrono::seconds(5)), std::future_status::ready);
  const auto failure = hung.get();
  EXPECT_EQ(failure.kind, FailureKind::kLaneDeadline);
  EXPECT_EQ(failure.member, member);
  EXPECT_EQ(failure.epoch, pool.statistics(member).epoch);
  EXPECT_EQ(pool.statistics(member).quarantinedLanes, 1);
  EXPECT_FALSE(pool.statistics(member).admitted);
  token.heal();
  EXPECT_TRUE(eventually([&] { return pool.statistics(member).quarantinedLanes == 0; }));
  valueOf<Secret>(pool.run(member, makeRandom(8)));
}

/// The next free lane of any member takes the request. It need not be a lane of the member that had no
/// session for it.
TEST(Fault, ARequeuedRequestGoesToAnIdleLaneOfAnotherMember) {
  const TestToken full;
  const TestToken other;
  TestPool pool;
  const int member = pool.connect(full.faultyModule(), {2, 2});
  const auto key = pool.makeKey(member);
  const auto encrypted = valueOf<EncryptedData>(pool.run(member, makeEncrypt(key, Secret(Bytes(8)), {})));
  pool.connect(other.module(), {1, 1});
  full.obey("C_DecryptInit hang\nC_GenerateRandom times 1 rv 0xb3\nC_OpenSession rv 0xb1");
  const Bytes nonce(encrypted.nonce.begin(), encrypted.nonce.end());
  auto busy = pool.post(member, makeDecrypt(key, nonce, encrypted.ciphertext, {}));
  ASSERT_TRUE(eventually([&] { return full.inside("C_DecryptInit") == 1; }));
  const int before = full.calls("C_GenerateRandom");
  for (int turn = 0; turn < 2; ++turn) {
    const auto outcome = pool.post(Members::all(), makeRandom(8), after(1'000)).get();
    EXPECT_TRUE(std::holds_alternative<Success>(outcome));
  }
  EXPECT_EQ(full.calls("C_GenerateRandom"), before + 1);
  full.heal();
  valueOf<Secret>(busy.get());
}

int threadCount() {
  const std::filesystem::directory_iterator threads("/proc/self/task");
  return static_cast<int>(std::distance(begin(threads), end(threads)));
}

TEST(Fault, AThousandHangsAreBoundedAndDoNotAffectANeighbour) {
  const TestToken ill;
  const TestToken well;
  TestPool pool;
  const int member = pool.connect(ill.faultyModule(), {4, 4});
  const int neighbour = pool.connect(well.module(), {2, 2});
  ill.obey("C_GenerateRandom hang");
  const int before = threadCount();
  int most = 0;
  for (int round = 0; round < 1'000; ++round) {
    const auto kind = failureOf(pool.run(member, makeRandom(8), after(5))).kind;
    EXPECT_TRUE(kind == FailureKind::kLaneDeadline || kind == FailureKind::kNoMember ||
                kind == FailureKind::kQueueDeadline);
    if (round % 50 == 0) valueOf<Secret>(pool.run(neighbour, makeRandom(8)));
    most = std::max(most, threadCount());
  }
  EXPECT_LE(most, before + 8);
  EXPECT_LE(pool.statistics(member).quarantinedLanes, 5);
  ill.heal();
  EXPECT_TRUE(eventually([&] { return pool.statistics(member).quarantinedLanes == 0; }));
  valueOf<Secret>(pool.run(member, makeRandom(8)));
}

TEST(Fault, AMemberTakesNoWorkWhileMoreLanesHangThanMayBeReplaced) {
  const TestToken token;
  TestPool pool;
  const int member = pool.connect(token.faultyModule(), {2, 0});
  const auto key = pool.makeKey(member);
  token.obey("C_Decrypt hang\nC_GenerateRandom hang");
  auto probe = pool.post(member, makeProbe(key), after(2'000));
  auto random = pool.post(member, makeRandom(8), after(2'000));
  EXPECT_EQ(failureOf(probe.get()).kind, FailureKind::kLaneDeadline);
  EXPECT_EQ(failureOf(random.get()).kind, FailureKind::kLaneDeadline);
  EXPECT_TRUE(eventually([&] { return pool.statistics(member).quarantinedLanes == 2; }));
  // One lane comes back. The other still hangs.
  token.obey("C_GenerateRandom hang");
  EXPECT_TRUE(eventually([&] { return pool.statistics(member).quarantinedLanes == 1; }));
  EXPECT_EQ(failureOf(pool.run(member, makeProbe(key))).kind, FailureKind::kNoMember);
  token.heal();
  EXPECT_TRUE(eventually([&] { return pool.statistics(member).quarantinedLanes == 0; }));
  valueOf<std::monostate>(pool.run(member, makeProbe(key)));
}

TEST(Fault, AMemberThatHangsTakesNoMoreSharedWorkEvenIfNotSuspended) {
  const TestToken ill;
  const TestToken well;
  TestPool pool;
  const int member = pool.connect(ill.faultyModule(), {2, 2});
  ill.obey("C_GenerateRandom hang");
  EXPECT_EQ(failureOf(pool.run(member, makeRandom(8), after(50))).kind, FailureKind::kLaneDeadline);
  EXPECT_FALSE(pool.statistics(member).admitted);
  EXPECT_EQ(failureOf(pool.post(Members::all(), makeRandom(8)).get()).kind, FailureKind::kNoMember);
  const int neighbour = pool.connect(well.module(), {2, 2});
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(std::get<Success>(pool.post(Members::all(), makeRandom(8)).get()).member, neighbour);
  ill.heal();
  // A success clears the suspicion.
  valueOf<Secret>(pool.run(member, makeRandom(8)));
  EXPECT_TRUE(pool.statistics(member).admitted);
}

/// More work than two lanes can do in a while.
std::vector<TestPool::Pending> postMuch(TestPool& pool) {
  std::vector<TestPool::Pending> pending;
  for (int i = 0; i < 60; ++i) pending.push_back(pool.post(Members::all(), makeRandom(8)));
  return pending;
}

TEST(Fault, ALaneThatHangsInItsFirstSessionDoesNotStopTheGrowth) {
  const TestToken token;
  TestPool pool;
  const int member = pool.connect(token.faultyModule(), {4, 2});
  pool.pool().setOperationTimeout(std::chrono::milliseconds(200), [](const Failure&) {});
  token.obey("C_OpenSession times 1 hang\nlatency C_GenerateRandom 50");
  auto pending = postMuch(pool);
  EXPECT_TRUE(eventually([&] { return pool.statistics(member).quarantinedLanes == 1; }));
  EXPECT_TRUE(pool.statistics(member).admitted);
  EXPECT_TRUE(eventually([&] { return pool.statistics(member).lanes == 4; }));
  for (auto& one : pending) valueOf<Secret>(one.get());
  token.heal();
  EXPECT_TRUE(eventually([&] { return pool.statistics(member).quarantinedLanes == 0; }));
  EXPECT_EQ(pool.statistics(member).lanes, 4);
  EXPECT_EQ(pool.close(), 0U);
}

TEST(Fault, LanesThatHangInTheirFirstSessionAreBoundedAndTheOthersServe) {
  const TestToken token;
  TestPool pool;
  const int member = pool.connect(token.faultyModule(), {8, 1});
  const int before = token.calls("C_OpenSession");
  pool.pool().setOperationTimeout(std::chrono::milliseconds(50), [](const Failure&) {});
  token.obey("C_OpenSession hang\nlatency C_GenerateRandom 20");
  for (auto& one : postMuch(pool)) valueOf<Secret>(one.get());
  EXPECT_TRUE(eventually([&] { return pool.statistics(member).quarantinedLanes == 2; }));
  for (auto& one : postMuch(pool)) valueOf<Secret>(one.get());
  EXPECT_EQ(token.calls("C_OpenSession") - before, 2);
  EXPECT_TRUE(pool.statistics(member).admitted);
  EXPECT_EQ(pool.close(after(100)), 2U);
  token.heal();
}

TEST(Fault, ALoginSucceedsWithTheLanesThatOpen) {
  const TestToken token;
  TestPool pool;
  pool.pool().setOperationTimeout(std::chrono::milliseconds(100), [](const Failure&) {});
  // The first session keeps the login alive.
  token.obey("C_OpenSession after 1 times 1 hang");
  const int member = pool.connect(token.faultyModule(), {2, 1});
  EXPECT_EQ(pool.statistics(member).quarantinedLanes, 1);
  EXPECT_EQ(pool.statistics(member).lanes, 2);
  token.heal();
  EXPECT_TRUE(eventually([&] { return pool.statistics(member).quarantinedLanes == 0; }));
}

TEST(Fault, ALoginFailsIfNoLaneOpens) {
  const TestToken token;
  TestPool pool;
  pool.pool().setOperationTimeout(std::chrono::milliseconds(50), [](const Failure&) {});
  token.obey("C_OpenSession after 1 hang");
  const MemberOptions options{token.faultyModule(), {TestToken::kLabel, std::nullopt}, {2, 1}};
  auto opening =
      pool.start([&](const auto& answer) { pool.pool().openMember(answer, options, after(20'000)); });
  const int member = valueOf<MemberOpened>(opening.get()).member;
  const auto started = Clock::now();
  EXPECT_EQ(failureOf(pool.logIn(member)).kind, FailureKind::kLaneDeadline);
  EXPECT_LT(Clock::now() - started, std::chrono::seconds(10));
  EXPECT_EQ(failureOf(pool.run(member, makeRandom(8))).kind, FailureKind::kNoMember);
  token.heal();
  EXPECT_TRUE(eventually([&] { return pool.statistics(member).quarantinedLanes == 0; }));
}

TEST(Fault, AHungProbeBlocksNoRequestForEver) {
  const TestToken token;
  TestPool pool;
  const int member = pool.connect(token.faultyModule(), {4, 4});
  const auto key = pool.makeKey(member);
  // In the epoch in which the key was made it is already proved.
  valueOf<uint64_t>(pool.logIn(member));
  token.obey("C_FindObjectsInit hang");
  std::vector<TestPool::Pending> pending;
  // All requests wait for one probe. A request that gives up the probe's entry does so too late for the
  // others to begin another.
  const auto deadline = after(150);
  for (int i = 0; i < 4; ++i)
    pending.push_back(pool.post(member, makeEncrypt(key, Secret(Bytes(8)), {}), deadline));
  int inside = 0;
  for (auto& one : pending) inside += failureOf(one.get()).kind == FailureKind::kLaneDeadline ? 1 : 0;
  // One lane was inside the module. The other lanes waited for its proof and gave up by themselves.
  EXPECT_EQ(inside, 1);
  EXPECT_TRUE(eventually([&] { return pool.statistics(member).lanes == 4; }));
  EXPECT_EQ(pool.statistics(member).quarantinedLanes, 1);
  token.heal();
  EXPECT_TRUE(eventually([&] { return pool.statistics(member).quarantinedLanes == 0; }));
  valueOf<EncryptedData>(pool.run(member, makeEncrypt(key, Secret(Bytes(8)), {})));
}

TEST(Fault, LoginTriesOnceWhateverTheAnswer) {
  for (const char* const rv : {"0xa0", "0xa4", "0x30", "0x5"}) {
    const TestToken token;
    TestPool pool;
    token.obey(std::string("C_Login rv ") + rv);
    EXPECT_THROW(pool.connect(token.faultyModule()), std::runtime_error);
    EXPECT_EQ(token.calls("C_Login"), 1) << rv;
  }
}

TEST(Fault, AnAbandonedLoginNeverReachesTheToken) {
  const TestToken token;
  TestPool pool;
  const MemberOptions options{token.faultyModule(), {TestToken::kLabel, std::nullopt}, {1, 1}};
  auto opening =
      pool.start([&](const auto& answer) { pool.pool().openMember(answer, options, after(5'000)); });
  const int member = valueOf<MemberOpened>(opening.get()).member;
  token.obey("C_OpenSession hang");
  auto login = pool.start([&](const auto& answer) {
    pool.pool().loginMember(answer, member, Secret(bytesOf("1234")), after(1'000));
  });
  EXPECT_EQ(failureOf(login.get()).kind, FailureKind::kLaneDeadline);
  token.heal();
  EXPECT_EQ(pool.close(), 0U);
  EXPECT_EQ(token.calls("C_OpenSession"), 1);
  EXPECT_EQ(token.calls("C_Login"), 0);
}

TEST(Fault, SessionsThatCannotOpenFailTheLogin) {
  const TestToken token;
  TestPool pool;
  token.obey("C_OpenSession rv 0xb1");
  EXPECT_THROW(pool.connect(token.faultyModule()), std::runtime_error);
  EXPECT_EQ(token.calls("C_Login"), 0);
}

TEST(Fault, AModuleWithoutCopyableStillMakesKeys) {
  const TestToken token;
  TestPool pool;
  const int member = pool.connect(token.faultyModule());
  token.obey("C_GenerateKey rv 0x12");
  const auto failed = failureOf(pool.run(member, makeGenerateKey(Bytes(32, 1), "key", bytesOf("known"), {})));
  EXPECT_EQ(failed.rv, CKR_ATTRIBUTE_TYPE_INVALID);
  EXPECT_EQ(token.calls("C_GenerateKey"), 2);
}

TEST(Fault, OtherErrorsOfGenerationAreNotBlamedOnCopyable) {
  const TestToken token;
  TestPool pool;
  const int member = pool.connect(token.faultyModule());
  token.obey("C_GenerateKey times 1 rv 0x5");
  EXPECT_EQ(failureOf(pool.run(member, makeGenerateKey(Bytes(32, 1), "key", bytesOf("known"), {}))).rv,
            CKR_GENERAL_ERROR);
  EXPECT_EQ(token.calls("C_GenerateKey"), 1);
}

TEST(Fault, ClosesWithEveryCallFailing) {
  const TestToken token;
  TestPool pool;
  const int member = pool.connect(token.faultyModule());
  token.obey("* rv 0x30");
  EXPECT_EQ(failureOf(pool.run(member, makeRandom(8))).rv, CKR_DEVICE_ERROR);
  EXPECT_EQ(failureOf(pool.run(member, makeRandom(8))).rv, CKR_DEVICE_ERROR);
  EXPECT_EQ(pool.close(), 0U);
}

}  // namespace
}  // namespace holdfast
