/// \file The fault-injecting module itself: sessions, logins, objects, limits and outputs.
#include "failure.h"
#include "fault_module_fixture.h"

namespace holdfast {
namespace {

using faulthsm::kBuiltinCipher;
using faulthsm::kPinLimit;
using faulthsm::kRenumberAtStart;
using faulthsm::kRwSessionLimit;
using faulthsm::kSessionLimit;
using faulthsm::kSlotShift;
using faulthsm::kTokenFlags;
using faulthsm::kTokenFull;
using faulthsm::kWrongPins;

class FaultModuleState : public ::testing::Test {
 protected:
  TestToken token_;
  FaultyHsm hsm_{token_};
};

TEST_F(FaultModuleState, LostSessionsReportItAndTheLoginStays) {
  const auto session = hsm_.openLoggedIn();
  const auto key = hsm_.makeKey(session, "a");
  token_.setting(faulthsm::kSessionLostRv) = CKR_SESSION_CLOSED;
  ++token_.setting(faulthsm::kSessionsLost);
  Bytes output;
  EXPECT_EQ(hsm_.encrypt(session, key, output), CKR_SESSION_CLOSED);
  EXPECT_EQ(hsm_.encrypt(hsm_.open(), key, output), CKR_OK);
}

TEST_F(FaultModuleState, ALoginEndsWithTheLastSession) {
  const auto session = hsm_.openLoggedIn();
  EXPECT_EQ(hsm_.call().C_CloseSession(session), CKR_OK);
  const auto other = hsm_.open();
  CK_SESSION_INFO info{};
  EXPECT_EQ(hsm_.call().C_GetSessionInfo(other, &info), CKR_OK);
  EXPECT_EQ(info.state, CK_STATE(CKS_RW_PUBLIC_SESSION));
  EXPECT_EQ(hsm_.login(other), CKR_OK);
}

TEST_F(FaultModuleState, OnlyTheRightPinRestoresALostLogin) {
  const auto session = hsm_.openLoggedIn();
  const auto key = hsm_.makeKey(session, "a");
  ++token_.setting(faulthsm::kLoginsLost);
  Bytes output;
  CK_SESSION_INFO info{};
  EXPECT_EQ(hsm_.encrypt(session, key, output), CKR_USER_NOT_LOGGED_IN);
  EXPECT_EQ(hsm_.find(session, "a").size(), 0U);
  EXPECT_EQ(hsm_.call().C_GetSessionInfo(session, &info), CKR_OK);
  EXPECT_EQ(info.state, CK_STATE(CKS_RW_PUBLIC_SESSION));
  EXPECT_EQ(hsm_.login(session, "4321"), CKR_PIN_INCORRECT);
  EXPECT_EQ(hsm_.login(session), CKR_OK);
  EXPECT_EQ(hsm_.login(session), CKR_USER_ALREADY_LOGGED_IN);
  EXPECT_EQ(hsm_.encrypt(session, key, output), CKR_OK);
}

TEST_F(FaultModuleState, RenumberedHandlesNameOtherKeys) {
  const auto session = hsm_.openLoggedIn();
  const auto first = hsm_.makeKey(session, "a");
  const auto second = hsm_.makeKey(session, "b");
  ++token_.setting(faulthsm::kRenumberings);
  EXPECT_EQ(hsm_.idOf(session, first), "b");
  EXPECT_EQ(hsm_.idOf(session, second), "a");
  EXPECT_EQ(hsm_.find(session, "a"), std::vector{second});
}

TEST_F(FaultModuleState, AfterRenumberingAtStartAnOldHandleNamesAnotherKey) {
  token_.setting(kRenumberAtStart) = 1;
  auto session = hsm_.openLoggedIn();
  const auto first = hsm_.makeKey(session, "a");
  const auto second = hsm_.makeKey(session, "b");
  EXPECT_EQ(hsm_.idOf(session, first), "a");
  hsm_.restart();
  session = hsm_.openLoggedIn();
  // The handle is used before any search for objects.
  EXPECT_EQ(hsm_.idOf(session, first), "b");
  EXPECT_EQ(hsm_.find(session, "a"), std::vector{second});
  EXPECT_EQ(hsm_.find(session, "b"), std::vector{first});
}

TEST_F(FaultModuleState, HandlesCanBeStaleWrongOrMissing) {
  const auto session = hsm_.openLoggedIn();
  const auto first = hsm_.makeKey(session, "a");
  const auto second = hsm_.makeKey(session, "b");
  Bytes output;
  token_.obey("C_EncryptInit times 1 stale-handle");
  EXPECT_EQ(hsm_.encrypt(session, first, output), CKR_KEY_HANDLE_INVALID);
  EXPECT_EQ(hsm_.encrypt(session, first, output), CKR_KEY_HANDLE_INVALID);
  const auto again = hsm_.find(session, "a");
  ASSERT_EQ(again.size(), 1U);
  EXPECT_NE(again[0], first);
  EXPECT_EQ(hsm_.encrypt(session, again[0], output), CKR_OK);
  token_.obey("C_FindObjects wrong-handle");
  EXPECT_EQ(hsm_.find(session, "a"), std::vector{second});
  token_.obey("C_FindObjects no-objects");
  EXPECT_TRUE(hsm_.find(session, "a").empty());
}

TEST_F(FaultModuleState, SlotNumbersChangeWhenItStarts) {
  const auto before = hsm_.slot();
  token_.setting(kSlotShift) = 7;
  EXPECT_EQ(hsm_.slot(), before);
  hsm_.restart();
  EXPECT_EQ(hsm_.slot(), before + 7);
  CK_SESSION_INFO info{};
  EXPECT_EQ(hsm_.call().C_GetSessionInfo(hsm_.openLoggedIn(), &info), CKR_OK);
  EXPECT_EQ(info.slotID, before + 7);
}

TEST_F(FaultModuleState, AFullTokenMakesNothing) {
  const auto session = hsm_.openLoggedIn();
  const auto key = hsm_.makeKey(session, "a");
  token_.setting(kTokenFull) = 1;
  EXPECT_THROW(hsm_.makeKey(session, "b"), Failure);
  EXPECT_EQ(hsm_.tokenInfo().ulFreePrivateMemory, 0U);
  Bytes output;
  EXPECT_EQ(hsm_.encrypt(session, key, output), CKR_OK);
}

TEST_F(FaultModuleState, SessionsAreLimitedAcrossAllInstances) {
  token_.setting(kSessionLimit) = 3;
  token_.setting(kRwSessionLimit) = 1;
  const FaultyHsm other(token_);
  hsm_.open();
  EXPECT_THROW(other.open(), Failure);
  other.open(0);
  const auto third = hsm_.open(0);
  EXPECT_THROW(hsm_.open(0), Failure);
  EXPECT_EQ(hsm_.tokenInfo().ulMaxSessionCount, 3U);
  EXPECT_EQ(hsm_.tokenInfo().ulMaxRwSessionCount, 1U);
  EXPECT_EQ(hsm_.tokenInfo().ulSessionCount, 3U);
  hsm_.call().C_CloseSession(third);
  EXPECT_NO_THROW(other.open(0));
}

TEST_F(FaultModuleState, WrongPinsLockTheTokenForGood) {
  token_.setting(kPinLimit) = 3;
  const auto flags = [&] { return hsm_.tokenInfo().flags & 0x70000; };
  const auto session = hsm_.open();
  EXPECT_EQ(flags(), 0U);
  EXPECT_EQ(hsm_.login(session, "x111"), CKR_PIN_INCORRECT);
  EXPECT_EQ(flags(), CK_FLAGS(CKF_USER_PIN_COUNT_LOW));
  EXPECT_EQ(hsm_.login(session, "x222"), CKR_PIN_INCORRECT);
  EXPECT_EQ(flags(), CK_FLAGS(CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY));
  EXPECT_EQ(hsm_.login(session, "x333"), CKR_PIN_INCORRECT);
  EXPECT_EQ(flags(), CK_FLAGS(CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_LOCKED));
  hsm_.restart();
  EXPECT_EQ(hsm_.login(hsm_.open()), CKR_PIN_LOCKED);
  token_.setting(kWrongPins) = 2;
  EXPECT_EQ(hsm_.login(hsm_.open()), CKR_OK);
  EXPECT_EQ(token_.setting(kWrongPins), 0U);
}

TEST_F(FaultModuleState, TokenFlagsCanBeAdded) {
  token_.setting(kTokenFlags) = CKF_USER_PIN_TO_BE_CHANGED;
  token_.obey("C_GetTokenInfo flags 0x20000");
  const auto flags = hsm_.tokenInfo().flags;
  EXPECT_TRUE(flags & CKF_USER_PIN_TO_BE_CHANGED);
  EXPECT_TRUE(flags & CKF_USER_PIN_FINAL_TRY);
}

TEST_F(FaultModuleState, AnOutputCanHaveAFlippedBit) {
  for (const bool builtin : {false, true}) {
    token_.setting(kBuiltinCipher) = builtin ? 1 : 0;
    const auto session = builtin ? hsm_.open() : hsm_.openLoggedIn();
    const auto key = hsm_.makeKey(session, builtin ? "b" : "a");
    Bytes right;
    Bytes wrong;
    Bytes opened;
    EXPECT_EQ(hsm_.encrypt(session, key, right), CKR_OK);
    token_.obey("C_Encrypt times 1 flip");
    EXPECT_EQ(hsm_.encrypt(session, key, wrong), CKR_OK);
    EXPECT_NE(wrong, right);
    EXPECT_EQ(hsm_.decrypt(session, key, wrong, opened),
              builtin ? CKR_ENCRYPTED_DATA_INVALID : CKR_GENERAL_ERROR);
    EXPECT_EQ(hsm_.decrypt(session, key, right, opened), CKR_OK);
    EXPECT_EQ(opened, bytesOf("a plaintext of a test"));
  }
}

TEST_F(FaultModuleState, TheBuiltinCipherDecryptsOnlyWithTheSameKeyAndForwardsNothing) {
  token_.setting(kBuiltinCipher) = 1;
  const auto session = hsm_.openLoggedIn();
  const auto first = hsm_.makeKey(session, "a");
  const auto second = hsm_.makeKey(session, "b");
  Bytes encrypted;
  Bytes opened;
  EXPECT_EQ(hsm_.encrypt(session, first, encrypted), CKR_OK);
  EXPECT_EQ(hsm_.decrypt(session, second, encrypted, opened), CKR_ENCRYPTED_DATA_INVALID);
  EXPECT_EQ(hsm_.decrypt(session, first, Bytes(3), opened), CKR_ENCRYPTED_DATA_LEN_RANGE);
  EXPECT_EQ(hsm_.encrypt(session, 0x7777, encrypted), CKR_KEY_HANDLE_INVALID);
}

TEST_F(FaultModuleState, EachInstanceFailsOnItsOwn) {
  const TestToken otherToken;
  const FaultyHsm other(otherToken);
  token_.obey("* rv 0x30");
  EXPECT_THROW(hsm_.open(), Failure);
  EXPECT_EQ(other.random(other.open()), CKR_OK);
  EXPECT_EQ(token_.calls("C_GenerateRandom"), 0);
  EXPECT_EQ(otherToken.calls("C_GenerateRandom"), 1);
}

}  // namespace
}  // namespace holdfast
