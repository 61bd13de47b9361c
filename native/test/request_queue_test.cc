/// \file The order in which requests leave the queue, its bounds, and how requests that leave without a lane
/// are answered.
#include "request_queue.h"

#include <gtest/gtest.h>

#include "core_fixture.h"

namespace holdfast {
namespace {

/// A queue for three members.
class RequestQueueTest : public testing::Test {
 protected:
  struct Posted {
    RequestPointer request;
    std::future<Outcome> answer;
  };

  static Posted make(Members members, uint64_t ticket = 1, Deadline deadline = after(20'000)) {
    const auto sink = std::make_shared<FutureSink>();
    auto answer = sink->future();
    auto completion = std::make_shared<Completion>(sink, ticket);
    return {std::make_shared<Request>(std::weak_ptr<Dispatcher>(), std::move(completion), makeRandom(8),
                                      members, deadline),
            std::move(answer)};
  }

  Posted push(Members members, uint64_t ticket = 1, Deadline deadline = after(20'000)) REQUIRES(poolState) {
    auto posted = make(members, ticket, deadline);
    queue_.push(posted.request, 3);
    return posted;
  }

  static FailureKind kindOf(Posted& posted) { return failureOf(posted.answer.get()).kind; }

  Mutex mutex_;
  RequestQueue queue_{6, std::make_shared<Watchdog>()};
};

TEST_F(RequestQueueTest, GivesAMemberTheRequestsThatNameItFirst) {
  const PoolLock lock(mutex_);
  const auto shared = push(Members::all());
  const auto named = push(Members::only(0));
  const auto again = make(Members::only(0));
  queue_.pushFront(again.request);
  EXPECT_EQ(queue_.size(), 3U);
  EXPECT_EQ(queue_.pop(1, false), nullptr);
  EXPECT_EQ(queue_.pop(0, true), again.request);
  EXPECT_EQ(queue_.pop(0, true), named.request);
  EXPECT_EQ(queue_.pop(0, false), nullptr);
  EXPECT_EQ(queue_.pop(1, true), shared.request);
  EXPECT_EQ(queue_.size(), 0U);
}

TEST_F(RequestQueueTest, GivesAMemberTheOldestThatItMayTake) {
  const PoolLock lock(mutex_);
  const auto ofTwo = push(Members::anyOf({0, 1}));
  const auto first = push(Members::all());
  const auto ofOne = push(Members::anyOf({2}));
  const auto ofTwoAgain = push(Members::anyOf({0, 1}));
  const auto second = push(Members::all());
  EXPECT_EQ(queue_.pop(2, true), first.request);
  EXPECT_EQ(queue_.pop(2, true), ofOne.request);
  EXPECT_EQ(queue_.pop(1, true), ofTwo.request);
  EXPECT_EQ(queue_.pop(0, true), ofTwoAgain.request);
  EXPECT_EQ(queue_.pop(0, true), second.request);
  EXPECT_EQ(queue_.pop(0, true), nullptr);
}

TEST_F(RequestQueueTest, GivesASuspendedMemberNothingOfASet) {
  const PoolLock lock(mutex_);
  const auto ofOne = push(Members::anyOf({0}));
  EXPECT_EQ(queue_.pop(0, false), nullptr);
  EXPECT_EQ(queue_.sizeFor(0, false), 0U);
  EXPECT_EQ(queue_.sizeFor(0, true), 1U);
  EXPECT_EQ(queue_.pop(0, true), ofOne.request);
}

TEST_F(RequestQueueTest, PutsARequestThatALaneGivesBackFirst) {
  const PoolLock lock(mutex_);
  const auto waits = push(Members::all());
  const auto ofTwo = make(Members::anyOf({0, 1}));
  const auto shared = make(Members::all());
  queue_.pushFront(ofTwo.request);
  queue_.pushFront(shared.request);
  EXPECT_EQ(queue_.pop(1, true), shared.request);
  EXPECT_EQ(queue_.pop(1, true), ofTwo.request);
  EXPECT_EQ(queue_.pop(1, true), waits.request);
}

TEST_F(RequestQueueTest, CountsWhatEachMemberMayTake) {
  const PoolLock lock(mutex_);
  const Posted posted[] = {push(Members::all()), push(Members::anyOf({0, 1})), push(Members::anyOf({1, 2})),
                           push(Members::only(2))};
  EXPECT_EQ(queue_.sizeFor(0, true), 2U);
  EXPECT_EQ(queue_.sizeFor(1, true), 3U);
  EXPECT_EQ(queue_.sizeFor(2, true), 3U);
  EXPECT_EQ(queue_.sizeFor(2, false), 1U);
  EXPECT_EQ(queue_.size(), std::size(posted));
}

TEST_F(RequestQueueTest, UsesTheLineOfASetAgainForAnother) {
  const PoolLock lock(mutex_);
  for (int round = 0; round < 3; ++round) {
    for (int member = 0; member < 3; ++member) {
      const auto ofOne = push(Members::anyOf({member}));
      const auto ofTwo = push(Members::anyOf({member, (member + 1) % 3}));
      EXPECT_EQ(queue_.pop(member, true), ofOne.request);
      EXPECT_EQ(queue_.pop(member, true), ofTwo.request);
    }
  }
}

TEST_F(RequestQueueTest, IsBoundedAndLeavesHalfToOtherMembers) {
  const PoolLock lock(mutex_);
  for (int i = 0; i < 3; ++i) (void)push(Members::only(0));
  EXPECT_THROW((void)push(Members::only(0)), Failure);
  (void)push(Members::only(1));
  (void)push(Members::anyOf({0}));
  (void)push(Members::all());
  EXPECT_THROW((void)push(Members::all()), Failure);
  EXPECT_EQ(queue_.size(), 6U);
  // A lane that gives a request back had accepted it before.
  queue_.pushFront(make(Members::all()).request);
  EXPECT_EQ(queue_.size(), 7U);
}

TEST_F(RequestQueueTest, LeavesHalfToMembersOutsideASet) {
  const PoolLock lock(mutex_);
  for (int i = 0; i < 3; ++i) (void)push(Members::anyOf({0, 1}));
  EXPECT_THROW((void)push(Members::anyOf({0, 1})), Failure);
  for (int i = 0; i < 3; ++i) (void)push(Members::all());
}

TEST_F(RequestQueueTest, RefusesExpiredRequestsOnTheWay) {
  const PoolLock lock(mutex_);
  auto late = push(Members::all(), 1, after(0));
  auto lateOfTwo = push(Members::anyOf({0, 1}), 1, after(0));
  const auto inTime = push(Members::all());
  EXPECT_EQ(queue_.pop(0, true), inTime.request);
  EXPECT_EQ(kindOf(late), FailureKind::kQueueDeadline);
  EXPECT_EQ(kindOf(lateOfTwo), FailureKind::kQueueDeadline);
  EXPECT_EQ(queue_.size(), 0U);
}

TEST_F(RequestQueueTest, RefusesByTicketByMemberAndAll) {
  const PoolLock lock(mutex_);
  auto first = push(Members::only(0), 7);
  auto second = push(Members::only(0), 8);
  auto third = push(Members::all(), 9);
  auto fourth = push(Members::anyOf({0, 1}), 10);
  EXPECT_FALSE(queue_.refuseTicket(6, failure(FailureKind::kCancelled, "")));
  EXPECT_TRUE(queue_.refuseTicket(7, failure(FailureKind::kCancelled, "")));
  EXPECT_TRUE(queue_.refuseTicket(10, failure(FailureKind::kCancelled, "")));
  EXPECT_EQ(kindOf(first), FailureKind::kCancelled);
  EXPECT_EQ(kindOf(fourth), FailureKind::kCancelled);
  EXPECT_FALSE(queue_.remove(first.request));
  queue_.refuseNamed(0, FailureKind::kNoMember, "");
  const auto refused = failureOf(second.answer.get());
  EXPECT_EQ(refused.kind, FailureKind::kNoMember);
  EXPECT_EQ(refused.member, 0);
  EXPECT_EQ(queue_.size(), 1U);
  queue_.refuseAll(FailureKind::kClosed, "");
  EXPECT_EQ(kindOf(third), FailureKind::kClosed);
  EXPECT_EQ(queue_.size(), 0U);
}

TEST_F(RequestQueueTest, RefusesTheSetsThatNoMemberServes) {
  const PoolLock lock(mutex_);
  auto ofTwo = push(Members::anyOf({0, 1}));
  const auto served = push(Members::anyOf({1, 2}));
  const auto named = push(Members::only(0));
  const auto shared = push(Members::all());
  queue_.refuseUnserved(Members::anyOf({2}), FailureKind::kNoMember, "");
  const auto refused = failureOf(ofTwo.answer.get());
  EXPECT_EQ(refused.kind, FailureKind::kNoMember);
  EXPECT_EQ(refused.member, -1);
  EXPECT_TRUE(queue_.remove(served.request));
  EXPECT_TRUE(queue_.remove(named.request));
  EXPECT_TRUE(queue_.remove(shared.request));
  EXPECT_EQ(queue_.size(), 0U);
}

}  // namespace
}  // namespace holdfast
