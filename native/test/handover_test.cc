#include <array>
#include <atomic>
#include <future>
#include <random>
#include <thread>

#include "core_fixture.h"

namespace holdfast {
namespace {

/// Every request is answered, however lanes come and go: no request goes to a lane that is ending.

constexpr auto kLongest = std::chrono::seconds(60);

bool isAnswered(TestPool::Pending& pending) {
  return pending.wait_for(kLongest) == std::future_status::ready;
}

void expectAllAnswered(std::vector<TestPool::Pending>& all) {
  for (auto& one : all) EXPECT_TRUE(isAnswered(one));
}

/// Two members: the first is suspected, with one idle lane and one inside a call; the second has a backlog.
/// While the idle lane closes its session, the other lane's call succeeds.
TEST(Handover, ALaneThatEndsAtCloseIsGivenNoWork) {
  const TestToken suspected;
  const TestToken other;
  TestPool pool;
  const int first = pool.connect(suspected.faultyModule(), {2, 1});
  const int second = pool.connect(other.faultyModule(), {1, 1});
  suspected.obey("C_GenerateRandom hang");
  EXPECT_EQ(failureOf(pool.run(first, makeRandom(8), after(100))).kind, FailureKind::kLaneDeadline);
  ASSERT_TRUE(eventually([&] { return pool.statistics(first).lanes == 2; }));
  auto busy = pool.post(first, makeRandom(8));
  other.obey("C_GenerateRandom hang");
  std::vector<TestPool::Pending> backlog;
  for (int i = 0; i < 4; ++i) backlog.push_back(pool.post(Members::all(), makeRandom(8)));
  ASSERT_TRUE(eventually(
      [&] { return suspected.inside("C_GenerateRandom") == 2 && other.inside("C_GenerateRandom") == 1; }));
  suspected.obey("C_GenerateRandom hang\nC_CloseSession times 1 hang");
  auto closing = pool.start([&](const auto& answer) { pool.pool().close(answer, after(20'000)); });
  ASSERT_TRUE(eventually([&] { return suspected.inside("C_CloseSession") == 1; }));
  suspected.obey("C_CloseSession hang");
  EXPECT_TRUE(isAnswered(busy));
  other.heal();
  expectAllAnswered(backlog);
  suspected.heal();
  EXPECT_EQ(valueOf<uint64_t>(closing.get()), 0U);
  EXPECT_EQ(pool.statistics(second).member, -1);
}

/// A member is closed, opened again, or gives a request back, again and again. Every request is still
/// answered, and nothing is inside the module once the pool is closed.
class HandoverStress : public testing::TestWithParam<int> {};

TEST_P(HandoverStress, EveryRequestIsAnswered) {
  std::mt19937 random(static_cast<unsigned>(GetParam()));
  const auto upTo = [&random](int most) { return std::uniform_int_distribution(0, most)(random); };
  const TestToken one;
  const TestToken two;
  TestPool pool(64);
  pool.pool().setOperationTimeout(std::chrono::milliseconds(150), [](const Failure&) {});
  const int first = pool.connect(one.faultyModule(), {3, 2});
  const int second = pool.connect(two.faultyModule(), {2, 2});
  std::atomic<bool> posting = true;
  std::atomic<uint64_t> ticket = 0;
  std::atomic<int> unanswered = 0;
  const std::array targets = {Members::only(first), Members::all(), Members::anyOf({second}),
                              Members::anyOf({first, second})};
  std::vector<std::thread> callers;
  for (size_t i = 0; i < targets.size(); ++i) {
    callers.emplace_back([&, i] {
      while (posting) {
        const Members members = targets.at(i);
        const uint64_t own = ++ticket;
        auto pending = pool.post(members, makeRandom(8), after(100 * (static_cast<int>(i) + 1)), own);
        if (i == 3) pool.pool().cancel(own);
        if (!isAnswered(pending)) ++unanswered;
        std::this_thread::sleep_for(std::chrono::microseconds(200));
      }
    });
  }
  const char* const scripts[] = {
      "",
      "C_GenerateRandom chance 0.2 hang",
      "C_GenerateRandom chance 0.3 rv 0xb3\nC_OpenSession chance 0.5 rv 0xb1",
      "C_OpenSession chance 0.3 hang\nC_GenerateRandom chance 0.1 rv 0xb3",
      "C_CloseSession delay 5\nC_GenerateRandom chance 0.3 rv 0xb3",
      "latency * 1",
  };
  for (int round = 0; round < 12; ++round) {
    const int member = upTo(1) == 0 ? first : second;
    (member == first ? one : two).obey(scripts[upTo(std::size(scripts) - 1)]);
    std::this_thread::sleep_for(std::chrono::milliseconds(upTo(40)));
    if (upTo(2) == 0) pool.pool().suspend(member);
    if (upTo(3) == 0) pool.reopen(member, after(500));
    if (upTo(1) == 0) pool.logIn(member, after(500));
    pool.pool().resume(member);
  }
  auto closing = pool.start([&](const auto& answer) { pool.pool().close(answer, after(20'000)); });
  one.heal();
  two.heal();
  EXPECT_EQ(valueOf<uint64_t>(closing.get()), 0U);
  posting = false;
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(unanswered, 0);
  EXPECT_EQ(one.inside("C_GenerateRandom") + two.inside("C_GenerateRandom"), 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, HandoverStress, testing::Range(1, 9));

}  // namespace
}  // namespace holdfast
