/// \file The fault-injecting module itself: each kind of fault once. docs/faults.md describes them.
#include <algorithm>
#include <thread>

#include "failure.h"
#include "fault_module_fixture.h"

namespace holdfast {
namespace {

using faulthsm::kReleased;

class FaultModule : public ::testing::Test {
 protected:
  void orderNow(const std::string& order) {
    token_.obey("C_GetInfo " + order);
    CK_INFO info{};
    hsm_.call().C_GetInfo(&info);
    token_.heal();
  }
  void comeBack() { token_.setting(faulthsm::kRemoval) = 0; }

  TestToken token_;
  FaultyHsm hsm_{token_};
};

TEST_F(FaultModule, LinesAreConsumedInOrder) {
  const auto session = hsm_.open();
  token_.obey(
      "* rv 0x6\nC_GenerateRandom after 1 times 2 rv 0x30\nC_GenerateRandom times 1 rv 0x31\nC_SeedRandom rv "
      "0x5");
  std::vector<CK_RV> answers;
  for (int i = 0; i < 5; ++i) answers.push_back(hsm_.random(session));
  // The first rule for this function skips one call, which the rule for all functions then answers.
  EXPECT_EQ(answers, (std::vector<CK_RV>{6, 0x30, 0x30, 0x31, 6}));
  token_.heal();
  EXPECT_EQ(hsm_.random(session), CKR_OK);
}

TEST_F(FaultModule, ChanceIsRepeatable) {
  const auto session = hsm_.open();
  std::vector<std::string> runs;
  for (const char* const seed : {"7", "7", "8"}) {
    token_.obey(std::string("C_GenerateRandom chance 0.3 seed ") + seed + " rv 0x30");
    auto& run = runs.emplace_back();
    for (int i = 0; i < 100; ++i) run += hsm_.random(session) == CKR_OK ? '.' : 'x';
  }
  EXPECT_EQ(runs[0], runs[1]);
  EXPECT_NE(runs[0], runs[2]);
  const auto failed = std::ranges::count(runs[0], 'x');
  EXPECT_GT(failed, 10);
  EXPECT_LT(failed, 60);
}

TEST_F(FaultModule, ALineThatCannotBeParsedFailsEveryCall) {
  const auto session = hsm_.open();
  for (const char* const line : {"C_Encrpyt rv 1", "C_Encrypt explode", "C_Encrypt rv", "C_Login remove away",
                                 "latency C_Encrypt fast", "C_Encrypt times x hang", "C_Encrypt flip 3"}) {
    token_.obey(line);
    EXPECT_EQ(hsm_.random(session), CKR_FUNCTION_NOT_SUPPORTED) << line;
  }
}

TEST_F(FaultModule, LatencyDelaysNoOtherCall) {
  const auto session = hsm_.open();
  for (const char* const time : {"60", "uniform 50 70", "exponential 60", "lognormal 60 0.1"}) {
    token_.obey(std::string("latency C_GenerateRandom ") + time);
    const auto start = Clock::now();
    std::vector<std::thread> threads;
    for (int i = 0; i < 30; ++i) threads.emplace_back([&] { hsm_.random(session); });
    for (auto& thread : threads) thread.join();
    const auto took = Clock::now() - start;
    EXPECT_GT(took, std::chrono::milliseconds(20)) << time;
    EXPECT_LT(took, std::chrono::milliseconds(30 * 60 / 2)) << time;
  }
}

TEST_F(FaultModule, HungCallsCanBeReleasedInEitherWay) {
  const auto session = hsm_.open();
  const auto inside = [&] { return token_.inside("C_GenerateRandom") == 1; };
  const auto hangUntil = [&](const char* line, const std::function<void()>& release) {
    token_.obey(line);
    CK_RV answer = CKR_CANCEL;
    std::thread caller([&] { answer = hsm_.random(session); });
    EXPECT_TRUE(eventually(inside));
    release();
    caller.join();
    return answer;
  };
  EXPECT_EQ(hangUntil("C_GenerateRandom hang", [&] { token_.heal(); }), CKR_OK);
  EXPECT_EQ(hangUntil("C_GenerateRandom hang 0x30", [&] { ++token_.setting(kReleased); }), 0x30U);
  EXPECT_EQ(hangUntil("C_GenerateRandom hang", [&] { token_.obey("* rv 0x31"); }), 0x31U);
}

TEST_F(FaultModule, ADeviceThatIsPulledOutLosesSessionsAndLogins) {
  const auto session = hsm_.openLoggedIn();
  const auto key = hsm_.makeKey(session, "a");
  orderNow("remove device-removed");
  EXPECT_EQ(hsm_.random(session), CKR_DEVICE_REMOVED);
  EXPECT_THROW(hsm_.slot(), std::runtime_error);
  comeBack();
  EXPECT_EQ(hsm_.random(session), CKR_SESSION_HANDLE_INVALID);
  const auto other = hsm_.open();
  Bytes output;
  EXPECT_EQ(hsm_.encrypt(other, key, output), CKR_USER_NOT_LOGGED_IN);
  EXPECT_EQ(hsm_.login(other), CKR_OK);
  EXPECT_EQ(hsm_.encrypt(other, key, output), CKR_OK);
}

TEST_F(FaultModule, AnUnreachableDeviceReturnsUnchanged) {
  const auto session = hsm_.openLoggedIn();
  const auto key = hsm_.makeKey(session, "a");
  orderNow("remove device-error");
  Bytes output;
  EXPECT_EQ(hsm_.encrypt(session, key, output), CKR_DEVICE_ERROR);
  comeBack();
  EXPECT_EQ(hsm_.encrypt(session, key, output), CKR_OK);
}

TEST_F(FaultModule, ALostSoftHsmStaysLostUntilItIsInitialisedAgain) {
  const auto session = hsm_.openLoggedIn();
  const auto key = hsm_.makeKey(session, "a");
  const auto slot = hsm_.slot();
  orderNow("remove softhsm");
  for (const bool back : {false, true}) {
    CK_SESSION_INFO state{};
    CK_TOKEN_INFO info{};
    Bytes output;
    EXPECT_EQ(hsm_.call().C_GetSessionInfo(session, &state), CKR_OK);
    EXPECT_NO_THROW(hsm_.call().C_CloseSession(hsm_.open()));
    EXPECT_EQ(hsm_.find(session, "a").size(), 0U);
    EXPECT_EQ(hsm_.encrypt(session, key, output), CKR_OBJECT_HANDLE_INVALID);
    EXPECT_EQ(hsm_.call().C_GetTokenInfo(slot, &info), CKR_GENERAL_ERROR);
    if (!back) comeBack();
  }
  hsm_.restart();
  EXPECT_EQ(hsm_.find(hsm_.openLoggedIn(), "a").size(), 1U);
}

TEST_F(FaultModule, ATokenMissingAtInitialisationIsNeverSeen) {
  orderNow("remove softhsm");
  hsm_.restart();
  EXPECT_THROW(hsm_.slot(), std::runtime_error);
  comeBack();
  EXPECT_THROW(hsm_.slot(), std::runtime_error);
  hsm_.restart();
  EXPECT_NO_THROW(hsm_.slot());
}

TEST_F(FaultModule, AClientLibraryThatGaveUpMustBeInitialisedAgain) {
  const auto session = hsm_.open();
  orderNow("remove not-initialized");
  EXPECT_EQ(hsm_.random(session), CKR_CRYPTOKI_NOT_INITIALIZED);
  EXPECT_EQ(hsm_.call().C_Finalize(nullptr), CKR_CRYPTOKI_NOT_INITIALIZED);
  EXPECT_THROW(hsm_.restart(), Failure);
  comeBack();
  const FaultyHsm again(token_);
  EXPECT_EQ(again.random(again.open()), CKR_OK);
}

}  // namespace
}  // namespace holdfast
