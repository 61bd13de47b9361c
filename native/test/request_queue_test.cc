/// The order in which requests leave the queue, its bounds, and the answers of those that leave without a
/// lane.
#include "request_queue.h"

#include <gtest/gtest.h>

#include "core_fixture.h"

namespace holdfast {
namespace {

/// For two members.
class RequestQueueTest : public testing::Test {
 public:
  RequestQueueTest() {
    const PoolLock lock(mutex_);
    queue_.addMember();
    queue_.addMember();
  }

 protected:
  struct Posted {
    RequestPointer request;
    std::future<Outcome> answer;
  };

  static Posted make(std::optional<int> member, uint64_t ticket = 1, Deadline deadline = after(20'000)) {
    const auto sink = std::make_shared<FutureSink>();
    auto answer = sink->future();
    auto completion = std::make_shared<Completion>(sink, ticket);
    return {std::make_shared<Request>(std::weak_ptr<Dispatcher>(), std::move(completion), makeRandom(8),
                                      member, deadline),
            std::move(answer)};
  }

  static FailureKind kindOf(Posted& posted) { return failureOf(posted.answer.get()).kind; }

  Mutex mutex_;
  RequestQueue queue_{4, std::make_shared<Watchdog>()};
};

TEST_F(RequestQueueTest, GivesAMemberWhatNamesItFirst) {
  const PoolLock lock(mutex_);
  const auto shared = make(std::nullopt);
  const auto pinned = make(0);
  const auto again = make(0);
  queue_.push(shared.request);
  queue_.push(pinned.request);
  queue_.pushFront(again.request);
  EXPECT_EQ(queue_.size(), 3U);
  EXPECT_EQ(queue_.pop(1, false), nullptr);
  EXPECT_EQ(queue_.pop(0, true), again.request);
  EXPECT_EQ(queue_.pop(0, true), pinned.request);
  EXPECT_EQ(queue_.pop(0, false), nullptr);
  EXPECT_EQ(queue_.pop(1, true), shared.request);
  EXPECT_EQ(queue_.size(), 0U);
}

TEST_F(RequestQueueTest, IsBoundedAndLeavesHalfToOtherMembers) {
  const PoolLock lock(mutex_);
  queue_.push(make(0).request);
  queue_.push(make(0).request);
  EXPECT_THROW(queue_.push(make(0).request), Failure);
  queue_.push(make(1).request);
  queue_.push(make(std::nullopt).request);
  EXPECT_THROW(queue_.push(make(std::nullopt).request), Failure);
  EXPECT_EQ(queue_.size(), 4U);
  // A lane that hands back has accepted it before.
  queue_.pushFront(make(std::nullopt).request);
  EXPECT_EQ(queue_.size(), 5U);
}

TEST_F(RequestQueueTest, RefusesWhatIsTooLateOnTheWay) {
  const PoolLock lock(mutex_);
  auto late = make(std::nullopt, 1, after(0));
  const auto inTime = make(std::nullopt);
  queue_.push(late.request);
  queue_.push(inTime.request);
  EXPECT_EQ(queue_.pop(0, true), inTime.request);
  EXPECT_EQ(kindOf(late), FailureKind::kQueueDeadline);
  EXPECT_EQ(queue_.size(), 0U);
}

TEST_F(RequestQueueTest, RefusesByTicketByMemberAndAll) {
  const PoolLock lock(mutex_);
  auto first = make(0, 7);
  auto second = make(0, 8);
  auto third = make(std::nullopt, 9);
  for (const auto* const posted : {&first, &second, &third}) queue_.push(posted->request);
  EXPECT_FALSE(queue_.refuseTicket(6, failure(FailureKind::kCancelled, "")));
  EXPECT_TRUE(queue_.refuseTicket(7, failure(FailureKind::kCancelled, "")));
  EXPECT_EQ(kindOf(first), FailureKind::kCancelled);
  EXPECT_FALSE(queue_.remove(first.request));
  queue_.refusePinned(0, FailureKind::kNoMember, "");
  const auto refused = failureOf(second.answer.get());
  EXPECT_EQ(refused.kind, FailureKind::kNoMember);
  EXPECT_EQ(refused.member, 0);
  EXPECT_EQ(queue_.size(), 1U);
  queue_.refuseAll(FailureKind::kClosed, "");
  EXPECT_EQ(kindOf(third), FailureKind::kClosed);
  EXPECT_EQ(queue_.size(), 0U);
}

}  // namespace
}  // namespace holdfast
