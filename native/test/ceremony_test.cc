/// \file The ceremony on SoftHSM: what it makes, and that it can be broken off at every call.
#include <set>

#include "attributes.h"
#include "ceremony_fixture.h"

namespace holdfast {
namespace {

const Generation kFirst{"cluster-test", 1};
/// Four keys and a mark.
constexpr size_t kObjectsOfGeneration = 5;

Failure failureOfRun(const TestMembers& members, const Generation& generation) {
  try {
    static_cast<void>(members.run(generation));
  } catch (const Failure& failure) {
    return failure;
  }
  throw std::runtime_error("a failure was expected");
}

TEST(Ceremony, AllMembersGetTheSameKeysWhichNeverLeaveThemAgain) {
  const TestMembers members(3, kCarryKeyBits);
  const auto digest = members.run(kFirst);
  for (const auto& member : members.open()) {
    UserSession user(member);
    EXPECT_EQ(user.objects(), kObjectsOfGeneration);
    EXPECT_EQ(readMark(user.session(), kFirst), (Mark{digest}));
    for (const auto kind : kWrappingKeyKinds) {
      const auto read = readKeyAttributes(user.session(), user.wrappingKey(kFirst, kind));
      EXPECT_TRUE(read.trusted && read.sensitive && read.wrap && read.unwrap && read.isToken);
      EXPECT_FALSE(read.extractable || read.modifiable || read.copyable || read.decrypt || read.encrypt);
    }
  }
}

TEST(Ceremony, EachGenerationHasKeysOfItsOwn) {
  const TestMembers members(2);
  std::set<Sha256> digests;
  for (const uint32_t number : {1, 2, 3}) digests.insert(members.run({"cluster-test", number}));
  digests.insert(members.run({"cluster-other", 1}));
  EXPECT_EQ(digests.size(), 4U);
}

TEST(Ceremony, ACompleteGenerationIsLeftAsItIs) {
  const TestMembers members(2);
  const auto digest = members.run(kFirst);
  const int made = members.token(0).calls("C_GenerateKey");
  Ceremony again(kFirst, members.open());
  logInAll(again, members.size());
  EXPECT_TRUE(again.prepare().empty());
  EXPECT_EQ(again.complete().digest, digest);
  EXPECT_EQ(members.token(0).calls("C_GenerateKey"), made);
}

TEST(Ceremony, FingerprintsAreThoseOfTheMembersCarryKeys) {
  const TestMembers members(2);
  Ceremony ceremony(kFirst, members.open());
  logInAll(ceremony, members.size());
  const auto fingerprints = ceremony.prepare();
  ASSERT_EQ(fingerprints.size(), 2U);
  EXPECT_EQ(fingerprints[0].member, "member-0");
  EXPECT_NE(fingerprints[0].fingerprint, fingerprints[1].fingerprint);
  EXPECT_NE(fingerprints[0].serialNumber, fingerprints[1].serialNumber);
}

/// A key of a generation with a mark may have wrapped what nothing else decrypts.
TEST(Ceremony, AGenerationThatWasCompleteIsNeverMadeAnew) {
  const TestMembers members(2);
  static_cast<void>(members.run(kFirst));
  {
    const auto open = members.open();
    UserSession user(open[1]);
    const auto lost = user.wrappingKey(kFirst, WrappingKeyKind::kAes);
    ASSERT_EQ(user.session().functions().C_DestroyObject(user.session().handle(), lost), CKR_OK);
  }
  const auto failed = failureOfRun(members, kFirst);
  EXPECT_EQ(failed.kind, FailureKind::kMaterialMissing);
  EXPECT_EQ(failed.member, 1);
  const auto open = members.open();
  UserSession user(open[0]);
  EXPECT_EQ(user.objects(), kObjectsOfGeneration);
}

/// The one member has the first generation of another ceremony: same names, other keys.
TEST(Ceremony, MembersWithOtherKeysAreNoticed) {
  const TestMembers members(2);
  {
    const auto open = members.open();
    for (const auto& member : open) {
      Ceremony alone(kFirst, {member});
      alone.logIn(0, Secret(bytesOf(TestMembers::kOfficerPin)));
      static_cast<void>(alone.prepare());
      static_cast<void>(alone.complete());
    }
  }
  EXPECT_EQ(failureOfRun(members, kFirst).kind, FailureKind::kMaterialMismatch);
}

TEST(Ceremony, AnOfficersPinIsTriedOnceAndNotIfOneTryIsLeft) {
  const TestMembers members(1);
  Ceremony ceremony(kFirst, members.open());
  try {
    ceremony.logIn(0, Secret(bytesOf("87654321")));
    FAIL() << "a wrong PIN was accepted";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.rv, CKR_PIN_INCORRECT);
    EXPECT_EQ(failure.member, 0);
  }
  EXPECT_EQ(members.token(0).calls("C_Login"), 1);
  members.token(0).obey("C_GetTokenInfo flags 0x200000");
  EXPECT_THROW(ceremony.logIn(0, Secret(bytesOf(TestMembers::kOfficerPin))), Failure);
  EXPECT_EQ(members.token(0).calls("C_Login"), 1);
}

TEST(Ceremony, TwoMembersAreTwoTokens) {
  const TestMembers members(1);
  const auto open = members.open();
  EXPECT_THROW(Ceremony(kFirst, {open[0], open[0]}), Failure);
  EXPECT_THROW(Ceremony(kFirst, {}), Failure);
}

}  // namespace
}  // namespace holdfast
