#include "watchdog.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "core_fixture.h"
#include "timed_shared_mutex.h"

namespace holdfast {
namespace {

struct Counter final : TimerTarget {
  explicit Counter(std::atomic<int>& given) : count(given) {}
  void onDeadline() override { ++count; }
  std::atomic<int>& count;
};

TEST(Watchdog, CallsALateTargetOnceAndARemovedOneNever) {
  std::atomic<int> late = 0;
  std::atomic<int> unwatched = 0;
  Watchdog watchdog;
  const auto one = std::make_shared<Counter>(late);
  const auto two = std::make_shared<Counter>(unwatched);
  const Deadline deadline = after(30);
  watchdog.watch(after(10'000), two);
  watchdog.watch(deadline, two);
  watchdog.watch(deadline, one);
  watchdog.unwatch(deadline, two);
  EXPECT_TRUE(eventually([&] { return late == 1; }));
  EXPECT_GE(Clock::now(), deadline);
  EXPECT_EQ(unwatched, 0);
}

TEST(Watchdog, ServesAnEarlierDeadlineThatComesLater) {
  std::atomic<int> late = 0;
  std::atomic<int> never = 0;
  Watchdog watchdog;
  watchdog.watch(after(60'000), std::make_shared<Counter>(never));
  watchdog.watch(after(10), std::make_shared<Counter>(late));
  EXPECT_TRUE(eventually([&] { return late == 1; }));
  EXPECT_EQ(never, 0);
}

TEST(Watchdog, ServesATargetThatArrivesWhileItSleepsForARemovedOne) {
  std::atomic<int> late = 0;
  std::atomic<int> never = 0;
  Watchdog watchdog;
  const auto done = std::make_shared<Counter>(never);
  for (const int milliseconds : {60'000, 40}) {
    const Deadline deadline = after(milliseconds);
    watchdog.watch(deadline, done);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    watchdog.unwatch(deadline, done);
    // The first target is due before that sleep ends, the second after it.
    watchdog.watch(after(80), std::make_shared<Counter>(late));
  }
  EXPECT_TRUE(eventually([&] { return late == 2; }));
  EXPECT_EQ(never, 0);
}

TEST(TimedSharedMutex, HasOneExclusiveHolderOrManyShared) {
  TimedSharedMutex mutex;
  const char holders[4] = {};
  {
    const auto first = mutex.lockShared(after(1'000), holders);
    const auto second = mutex.lockShared(after(1'000), holders + 1);
    EXPECT_TRUE(first && second);
    EXPECT_FALSE(mutex.lockExclusive(after(20), holders + 2));
    EXPECT_TRUE(mutex.lockShared(after(20), holders + 3));
  }
  const auto alone = mutex.lockExclusive(after(1'000), holders);
  EXPECT_TRUE(alone);
  EXPECT_FALSE(mutex.lockShared(after(20), holders + 1));
}

TEST(TimedSharedMutex, ExcludesThreads) {
  TimedSharedMutex mutex;
  int count = 0;
  const auto work = [&] {
    for (int i = 0; i < 1'000; ++i) {
      const auto lock = mutex.lockExclusive(after(20'000), &i);
      if (lock) ++count;
    }
  };
  std::thread one(work);
  std::thread two(work);
  one.join();
  two.join();
  EXPECT_EQ(count, 2'000);
}

TEST(TimedSharedMutex, AnExpelledHolderExcludesNoOneAndFreesNothingWhenItLeaves) {
  TimedSharedMutex mutex;
  const char holders[4] = {};
  {
    const auto hung = mutex.lockExclusive(after(1'000), holders);
    mutex.expel(holders);
    const auto next = mutex.lockExclusive(after(1'000), holders + 1);
    EXPECT_TRUE(next);
    mutex.expel(holders);
    EXPECT_FALSE(mutex.lockShared(after(20), holders + 2));
  }
  {
    const auto sharer = mutex.lockShared(after(1'000), holders + 1);
    const auto alsoHung = mutex.lockShared(after(1'000), holders);
    mutex.expel(holders);
    EXPECT_FALSE(mutex.lockExclusive(after(20), holders + 2));
  }
  EXPECT_TRUE(mutex.lockExclusive(after(1'000), holders + 2));
  const auto last = mutex.lockExclusive(after(1'000), holders + 3);
  mutex.expelAll();
  EXPECT_TRUE(mutex.lockShared(after(20), holders + 2));
}

TEST(Deadlines, NeverOverflow) {
  EXPECT_GT(deadlineFromMilliseconds(1e300), Clock::now());
  EXPECT_LT(deadlineFromMilliseconds(-1e300), Clock::now());
}

}  // namespace
}  // namespace holdfast
