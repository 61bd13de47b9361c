/// Requests for any of several members: which member runs them, and when none does.
#include "members.h"

#include <gtest/gtest.h>

#include <set>

#include "core_fixture.h"

namespace holdfast {
namespace {

TEST(Members, AreAllASetOrOneByName) {
  EXPECT_TRUE(Members::all().has(0));
  EXPECT_TRUE(Members::all().has(kMaxMembers - 1));
  EXPECT_TRUE(Members::all().areAll());
  const auto two = Members::anyOf({1, 3});
  EXPECT_TRUE(two.has(1) && two.has(3));
  EXPECT_FALSE(two.has(0) || two.has(2) || two.areAll() || two.isNamed());
  EXPECT_TRUE(two.overlaps(Members::anyOf({0, 3})));
  EXPECT_FALSE(two.overlaps(Members::anyOf({0, 2})));
  EXPECT_TRUE(Members::only(1).isNamed());
  EXPECT_EQ(Members::only(1).name(), 1);
  EXPECT_NE(Members::only(1), Members::anyOf({1}));
  EXPECT_EQ(Members::anyOf({-1, kMaxMembers}), Members::anyOf({}));
}

/// Three members with one lane each.
class MemberSets : public testing::Test {
 public:
  MemberSets() {
    for (size_t i = 0; i < std::size(tokens_); ++i) pool_.connect(tokens_[i].faultyModule(), {1, 1});
  }
  ~MemberSets() override {
    for (const TestToken& token : tokens_) token.heal();
  }

 protected:
  /// Makes a call hang in the lane of each of these members, until its token heals.
  void block(std::initializer_list<int> members) {
    for (const int member : members) {
      tokens_[member].obey("C_GenerateRandom hang");
      blocked_.push_back(pool_.post(member, makeRandom(8)));
      ASSERT_TRUE(eventually([&] { return tokens_[member].inside("C_GenerateRandom") == 1; }));
    }
  }
  TestPool::Pending post(Members members, Deadline deadline = after(20'000), uint64_t ticket = 1) {
    return pool_.post(members, makeRandom(8), deadline, ticket);
  }
  static int memberOf(TestPool::Pending& pending) { return std::get<Success>(pending.get()).member; }
  static FailureKind kindOf(TestPool::Pending& pending) { return failureOf(pending.get()).kind; }
  static bool waits(TestPool::Pending& pending) {
    return pending.wait_for(std::chrono::seconds(0)) == std::future_status::timeout;
  }

  TestToken tokens_[3];
  TestPool pool_;
  std::vector<TestPool::Pending> blocked_;
};

TEST_F(MemberSets, RunOnTheirMembersInTurn) {
  std::multiset<int> ran;
  for (int i = 0; i < 10; ++i) {
    auto pending = post(Members::anyOf({0, 2}));
    ran.insert(memberOf(pending));
  }
  EXPECT_EQ(ran.count(1), 0U);
  EXPECT_GT(ran.count(0), 0U);
  EXPECT_GT(ran.count(2), 0U);
}

TEST_F(MemberSets, WaitForTheirOwnMembersWhileOthersRest) {
  block({0, 1});
  auto waiting = post(Members::anyOf({0, 1}));
  auto other = post(Members::anyOf({1, 2}));
  EXPECT_EQ(memberOf(other), 2);
  EXPECT_TRUE(waits(waiting));
  EXPECT_EQ(pool_.statistics(0).queued, 1);
  EXPECT_EQ(pool_.statistics(1).queued, 1);
  EXPECT_EQ(pool_.statistics(2).queued, 0);
  tokens_[1].heal();
  EXPECT_EQ(memberOf(waiting), 1);
  EXPECT_EQ(pool_.statistics(0).queued, 0);
}

TEST_F(MemberSets, LeaveNoOlderRequestBehind) {
  block({0, 1, 2});
  auto first = post(Members::anyOf({0, 1}));
  auto second = post(Members::all());
  auto third = post(Members::anyOf({1}));
  tokens_[1].heal();
  const auto startOf = [](TestPool::Pending& pending) { return std::get<Success>(pending.get()).started; };
  const auto firstStart = startOf(first);
  const auto secondStart = startOf(second);
  EXPECT_LT(firstStart, secondStart);
  EXPECT_LT(secondStart, startOf(third));
}

TEST_F(MemberSets, AreRefusedWhenTheLastOfThemIsSuspended) {
  block({0, 1, 2});
  auto ofTwo = post(Members::anyOf({0, 1}));
  auto named = post(Members::only(0));
  auto shared = post(Members::all());
  pool_.pool().suspend(0);
  EXPECT_TRUE(waits(ofTwo));
  EXPECT_EQ(pool_.statistics(0).queued, 1);
  pool_.pool().suspend(1);
  const auto refused = failureOf(ofTwo.get());
  EXPECT_EQ(refused.kind, FailureKind::kNoMember);
  EXPECT_EQ(refused.member, -1);
  EXPECT_TRUE(waits(named) && waits(shared));
  auto late = post(Members::anyOf({0, 1}));
  EXPECT_EQ(kindOf(late), FailureKind::kNoMember);
  for (const TestToken& token : tokens_) token.heal();
  EXPECT_EQ(memberOf(named), 0);
  EXPECT_EQ(memberOf(shared), 2);
  pool_.pool().resume(1);
  auto again = post(Members::anyOf({0, 1}));
  EXPECT_EQ(memberOf(again), 1);
}

TEST_F(MemberSets, AreRefusedWhenTheLastOfThemHangs) {
  tokens_[0].obey("C_GenerateRandom hang");
  auto hung = post(Members::only(0), after(300));
  auto ofOne = post(Members::anyOf({0}));
  EXPECT_EQ(kindOf(ofOne), FailureKind::kNoMember);
  EXPECT_EQ(kindOf(hung), FailureKind::kLaneDeadline);
  auto ofTwo = post(Members::anyOf({0, 1}));
  EXPECT_EQ(memberOf(ofTwo), 1);
}

TEST_F(MemberSets, AreRefusedWhenTheLastOfThemCloses) {
  block({0, 1});
  auto ofOne = post(Members::anyOf({1}));
  auto ofTwo = post(Members::anyOf({0, 1}));
  auto closing = pool_.start([&](const auto& answer) { pool_.pool().closeMember(answer, 1, after(20'000)); });
  EXPECT_EQ(kindOf(ofOne), FailureKind::kNoMember);
  EXPECT_TRUE(waits(ofTwo));
  auto late = post(Members::anyOf({1}));
  EXPECT_EQ(kindOf(late), FailureKind::kNoMember);
  for (const TestToken& token : tokens_) token.heal();
  EXPECT_EQ(memberOf(ofTwo), 0);
  valueOf<std::monostate>(closing.get());
}

TEST_F(MemberSets, AreDoneBeforeThePoolCloses) {
  block({0, 1, 2});
  auto ofOne = post(Members::anyOf({1}));
  auto ofTwo = post(Members::anyOf({0, 2}));
  auto closing = pool_.start([&](const auto& answer) { pool_.pool().close(answer, after(20'000)); });
  for (const TestToken& token : tokens_) token.heal();
  EXPECT_EQ(valueOf<uint64_t>(closing.get()), 0U);
  EXPECT_EQ(memberOf(ofOne), 1);
  EXPECT_NE(memberOf(ofTwo), 1);
}

TEST_F(MemberSets, AreCancelledAndReachTheirDeadline) {
  block({0, 1});
  auto cancelled = post(Members::anyOf({0, 1}), after(20'000), 7);
  auto late = post(Members::anyOf({0, 1}), after(50), 8);
  auto waiting = post(Members::anyOf({0, 1}), after(20'000), 9);
  pool_.pool().cancel(7);
  EXPECT_EQ(kindOf(cancelled), FailureKind::kCancelled);
  EXPECT_EQ(kindOf(late), FailureKind::kQueueDeadline);
  EXPECT_EQ(pool_.statistics(1).queued, 1);
  tokens_[0].heal();
  EXPECT_EQ(memberOf(waiting), 0);
}

TEST_F(MemberSets, WithoutAMemberAreRefused) {
  for (const auto members : {Members::anyOf({}), Members::anyOf({7}), Members::anyOf({-1})}) {
    auto pending = post(members);
    EXPECT_EQ(kindOf(pending), FailureKind::kNoMember);
  }
}

TEST(Pool, HasNoMoreMembersThanARequestCanName) {
  const TestToken token;
  TestPool pool;
  const MemberOptions options{token.module(), {TestToken::kLabel, std::nullopt}, {1, 1}};
  for (int i = 0; i < kMaxMembers; ++i) EXPECT_EQ(pool.pool().addMember(options), i);
  EXPECT_THROW((void)pool.pool().addMember(options), Failure);
  auto last = pool.post(Members::only(kMaxMembers - 1), makeRandom(8));
  EXPECT_EQ(failureOf(last.get()).kind, FailureKind::kNoMember);
}

}  // namespace
}  // namespace holdfast
