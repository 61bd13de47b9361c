#include "outbox.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

#include "core_fixture.h"

namespace holdfast {
namespace {

struct CountingOutbox final : Outbox {
  CountingOutbox() : Outbox(std::make_shared<Watchdog>()) {}
  void wake() override { ++wakes; }
  std::atomic<int> wakes = 0;
};

Outcome answer() { return Success{0, 1, std::monostate{}}; }

TEST(Outbox, OneWakeUpDeliversEverything) {
  const auto outbox = std::make_shared<CountingOutbox>();
  for (uint64_t ticket = 1; ticket <= 5; ++ticket) outbox->complete(ticket, answer(), Urgency::kNow);
  EXPECT_EQ(outbox->wakes, 1);
  EXPECT_EQ(outbox->empty().size(), 5U);
  outbox->complete(6, answer(), Urgency::kNow);
  EXPECT_EQ(outbox->wakes, 2);
}

TEST(Outbox, AnAnswerThatMayWaitGoesWithTheNextWakeUp) {
  const auto outbox = std::make_shared<CountingOutbox>();
  outbox->complete(1, answer(), Urgency::kSoon);
  outbox->complete(2, answer(), Urgency::kNow);
  outbox->complete(3, answer(), Urgency::kSoon);
  const auto all = outbox->empty();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].ticket, 1U);
}

TEST(Outbox, AnAnswerHeldBackByAHungLaneIsStillDelivered) {
  const auto outbox = std::make_shared<CountingOutbox>();
  for (int round = 1; round <= 3; ++round) {
    outbox->complete(1, answer(), Urgency::kSoon);
    outbox->complete(2, answer(), Urgency::kSoon);
    EXPECT_TRUE(eventually([&] { return outbox->wakes == round; }));
    EXPECT_EQ(outbox->empty().size(), 2U);
  }
}

TEST(Outbox, OnceClosedItKeepsNothingAndWakesNothing) {
  const auto outbox = std::make_shared<CountingOutbox>();
  outbox->close();
  outbox->complete(1, answer(), Urgency::kNow);
  EXPECT_EQ(outbox->wakes, 0);
  EXPECT_TRUE(outbox->empty().empty());
}

/// Notes how urgently each answer is to be delivered, in their order.
struct NotingSink final : CompletionSink {
  void complete(uint64_t /*ticket*/, Outcome /*outcome*/, Urgency urgency) override {
    const std::lock_guard lock(mutex);
    noted.push_back(urgency);
  }
  size_t count() {
    const std::lock_guard lock(mutex);
    return noted.size();
  }
  std::mutex mutex;
  std::vector<Urgency> noted;
};

void postRandom(TestPool& pool, int member, const std::shared_ptr<NotingSink>& sink, int count,
                size_t length) {
  for (int i = 0; i < count; ++i)
    pool.pool().post(std::make_shared<Completion>(sink, 1), Members::only(member), makeRandom(length),
                     after(60'000));
}

TEST(Outbox, ALaneHoldsAnswersBackOnlyWhileMoreRequestsWait) {
  const TestToken token;
  TestPool pool;
  const int member = pool.connect(token.module(), {1, 1});
  for (const int count : {1, 2, 400}) {
    const auto sink = std::make_shared<NotingSink>();
    // Keeps the lane busy until all are posted.
    const auto first = pool.post(member, makeRandom(size_t{1} << 22));
    postRandom(pool, member, sink, count, 8);
    ASSERT_TRUE(eventually([&] { return sink->count() == static_cast<size_t>(count); }));
    EXPECT_EQ(sink->noted.back(), Urgency::kNow);
    const auto held = std::ranges::count(sink->noted, Urgency::kSoon);
    EXPECT_EQ(held > 0, count == 400) << count;
  }
}

TEST(Outbox, SlowAnswersAreNotHeldBack) {
  const TestToken token;
  TestPool pool;
  const int member = pool.connect(token.module(), {1, 1});
  const auto sink = std::make_shared<NotingSink>();
  // Each request takes milliseconds.
  postRandom(pool, member, sink, 20, size_t{1} << 20);
  ASSERT_TRUE(eventually([&] { return sink->count() == 20; }));
  EXPECT_EQ(std::ranges::count(sink->noted, Urgency::kSoon), 0);
}

}  // namespace
}  // namespace holdfast
