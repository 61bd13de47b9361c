/// \file A ceremony on its thread: the order of its calls, calls that hang, and its end.
#include "ceremony_thread.h"

#include "ceremony_fixture.h"

namespace holdfast {
namespace {

class CeremonyOnThread : public testing::Test {
 protected:
  void TearDown() override {
    token_.heal();
    if (thread_) thread_->end();
    EXPECT_TRUE(watchdog_->threads().join(after(20'000)));
  }

  using Pending = std::future<Outcome>;
  template <typename Start>
  static Pending ask(const Start& start) {
    const auto sink = std::make_shared<FutureSink>();
    auto pending = sink->future();
    start(std::make_shared<Completion>(sink, 1));
    return pending;
  }

  Pending open(const char* label = TestToken::kLabel) {
    CeremonyMemberOptions one{"one", token_.faultyModule(), {}, softHsmProfile()};
    // By itself: GCC 12 takes the label of a temporary for uninitialised memory.
    one.token.label = label;
    const std::vector members{std::move(one)};
    return ask([&](const auto& answer) { thread_->open(answer, {"cluster-test", 1}, members, true); });
  }
  Pending logIn() {
    return ask(
        [&](const auto& answer) { thread_->logIn(answer, 0, Secret(bytesOf(TestMembers::kOfficerPin))); });
  }
  Pending prepare() {
    return ask([&](const auto& answer) { thread_->prepare(answer, false); });
  }
  Pending complete() {
    return ask([&](const auto& answer) { thread_->complete(answer); });
  }
  Pending close() {
    return ask([&](const auto& answer) { thread_->close(answer); });
  }

  const TestToken token_;
  const std::shared_ptr<Watchdog> watchdog_ = std::make_shared<Watchdog>();
  std::shared_ptr<CeremonyThread> thread_ = std::make_shared<CeremonyThread>(watchdog_);
};

TEST_F(CeremonyOnThread, CallsThatArePostedTogetherRunInTheirOrder) {
  auto opened = open();
  auto loggedIn = logIn();
  auto prepared = prepare();
  auto completed = complete();
  EXPECT_EQ(valueOf<std::shared_ptr<CeremonyThread>>(opened.get()), thread_);
  valueOf<std::monostate>(loggedIn.get());
  EXPECT_EQ(valueOf<std::vector<CarryKeyFingerprint>>(prepared.get()).size(), 1U);
  EXPECT_NE(valueOf<CarriedKeysState>(completed.get()).digest, Sha256());
  valueOf<std::monostate>(close().get());
  EXPECT_TRUE(thread_->hasEnded());
  EXPECT_EQ(failureOf(prepare().get()).kind, FailureKind::kClosed);
}

TEST_F(CeremonyOnThread, ClosingAnswersTheCallThatHangsAndThoseThatWait) {
  valueOf<std::shared_ptr<CeremonyThread>>(open().get());
  token_.obey("C_Login hang");
  auto hanging = logIn();
  auto waiting = prepare();
  ASSERT_TRUE(eventually([&] { return token_.inside("C_Login") == 1; }));
  valueOf<std::monostate>(close().get());
  EXPECT_EQ(failureOf(hanging.get()).kind, FailureKind::kClosed);
  EXPECT_EQ(failureOf(waiting.get()).kind, FailureKind::kClosed);
  EXPECT_FALSE(thread_->hasEnded());
  token_.heal();
  EXPECT_TRUE(eventually([&] { return thread_->hasEnded(); }));
}

TEST_F(CeremonyOnThread, OneThatNobodyHoldsEnds) {
  valueOf<std::shared_ptr<CeremonyThread>>(open().get());
  thread_.reset();
  EXPECT_TRUE(watchdog_->threads().join(after(20'000)));
}

TEST_F(CeremonyOnThread, OneThatCannotOpenEnds) {
  const auto failed = failureOf(open("missing").get());
  EXPECT_EQ(failed.kind, FailureKind::kTokenMissing);
  EXPECT_EQ(failed.member, 0);
  EXPECT_TRUE(eventually([&] { return thread_->hasEnded(); }));
  EXPECT_EQ(failureOf(logIn().get()).kind, FailureKind::kClosed);
}

TEST_F(CeremonyOnThread, ACallOutOfTurnFailsAndTheNextOneRuns) {
  valueOf<std::shared_ptr<CeremonyThread>>(open().get());
  EXPECT_EQ(failureOf(prepare().get()).rv, CKR_OPERATION_NOT_INITIALIZED);
  valueOf<std::monostate>(logIn().get());
}

}  // namespace
}  // namespace holdfast
