/// \file Ceremonies that are broken off: each PKCS#11 function fails in turn, and a second run completes.
#include "ceremony_fixture.h"

namespace holdfast {
namespace {

/// Four keys and a mark.
constexpr size_t kObjectsOfGeneration = 5;

/// Everything that a ceremony calls once its modules are open.
constexpr std::array kCalled{
    "C_OpenSession", "C_GetTokenInfo",    "C_Login",       "C_GetSessionInfo",    "C_FindObjectsInit",
    "C_FindObjects", "C_GenerateKeyPair", "C_GenerateKey", "C_GetAttributeValue", "C_CreateObject",
    "C_WrapKey",     "C_DestroyObject",   "C_UnwrapKey",   "C_SignInit",          "C_Sign"};

/// A session object that stays behind ends with its session.
bool mayFailUnnoticed(const std::string& function) { return function == "C_DestroyObject"; }

/// Two members on which ceremonies fail.
class CeremonyFault : public testing::Test {
 protected:
  /// How often a member's token gets each function in one ceremony, without what opening it takes.
  std::array<int, kCalled.size()> callsOfOneRun(size_t member) {
    const auto counts = [&] {
      std::array<int, kCalled.size()> calls{};
      for (size_t i = 0; i < kCalled.size(); ++i) calls.at(i) = members_.token(member).calls(kCalled.at(i));
      return calls;
    };
    Ceremony ceremony(next(), members_.open());
    const auto before = counts();
    logInAll(ceremony, members_.size());
    static_cast<void>(ceremony.prepare());
    static_cast<void>(ceremony.complete());
    auto calls = counts();
    for (size_t i = 0; i < calls.size(); ++i) calls.at(i) -= before.at(i);
    return calls;
  }

  Generation next() { return {"cluster-test", ++generations_}; }

  /// Runs a ceremony in which this call fails. False if it completed all the same.
  bool fails(const Generation& generation, size_t member, const std::string& function, int earlierCalls) {
    Ceremony ceremony(generation, members_.open());
    members_.token(member).obey(function + " after " + std::to_string(earlierCalls) + " times 1 rv 0x30");
    try {
      logInAll(ceremony, members_.size());
      static_cast<void>(ceremony.prepare());
      static_cast<void>(ceremony.complete());
    } catch (const Failure& failure) {
      // A token that does not show itself counts as removed, whatever it answers.
      EXPECT_TRUE(failure.rv == CKR_DEVICE_ERROR || failure.function == Function::C_GetTokenInfo)
          << messageOf(failure);
      EXPECT_EQ(failure.member, int(member));
      return true;
    }
    return false;
  }

  /// All members have the same keys and marks of all generations so far, and nothing else.
  void expectAllComplete(const Generation& last, const Sha256& digest) {
    for (const auto& member : members_.open()) {
      UserSession user(member);
      EXPECT_EQ(user.objects(), kObjectsOfGeneration * generations_);
      EXPECT_EQ(readMark(user.session(), last), (Mark{digest}));
    }
  }

  /// The call fails; then a second run completes.
  void breakOff(size_t member, const std::string& function, int earlierCalls) {
    SCOPED_TRACE(function + " of member " + std::to_string(member) + " after " +
                 std::to_string(earlierCalls));
    const Generation generation = next();
    const bool failed = fails(generation, member, function, earlierCalls);
    EXPECT_TRUE(failed || mayFailUnnoticed(function));
    members_.heal();
    expectAllComplete(generation, members_.run(generation));
  }

  const TestMembers members_{2};
  uint32_t generations_ = 0;
};

TEST_F(CeremonyFault, TheMembersCallWhatIsBrokenOffHere) {
  const auto calls = callsOfOneRun(0);
  for (size_t i = 0; i < kCalled.size(); ++i) EXPECT_GT(calls.at(i), 0) << kCalled.at(i);
}

/// Each run finds what the one before left behind, and the last one completes.
TEST_F(CeremonyFault, OneGenerationIsBrokenOffAtTheFirstCallOfEachFunction) {
  Generation generation = next();
  for (const char* const function : kCalled) {
    SCOPED_TRACE(function);
    const bool failed = fails(generation, 0, function, 0);
    EXPECT_TRUE(failed || mayFailUnnoticed(function));
    members_.heal();
    // A complete generation has no further calls to break off.
    if (!failed) generation = next();
  }
  expectAllComplete(generation, members_.run(generation));
}

TEST_F(CeremonyFault, TheSecondRunCompletesAfterTheLastCallOfEachFunction) {
  const auto calls = callsOfOneRun(0);
  for (size_t i = 0; i < kCalled.size(); ++i) breakOff(0, kCalled.at(i), calls.at(i) - 1);
}

/// The calls that make something on a member to which the keys are carried.
TEST_F(CeremonyFault, TheSecondRunCompletesAfterAFailureOfTheOtherMember) {
  for (const char* const function : {"C_GenerateKeyPair", "C_UnwrapKey", "C_CreateObject"})
    breakOff(1, function, 0);
  breakOff(1, "C_UnwrapKey", int(kClusterKeys.size()) - 1);
}

/// One mark is there: no key may be destroyed any more, and the second run only adds the other mark.
TEST_F(CeremonyFault, BetweenTheMarksNothingIsMadeAnew) {
  const Generation generation = next();
  const int before = members_.token(1).calls("C_CreateObject");
  static_cast<void>(members_.run(generation));
  const int created = members_.token(1).calls("C_CreateObject") - before;
  const Generation broken = next();
  ASSERT_TRUE(fails(broken, 1, "C_CreateObject", created - 1));
  members_.heal();
  const int made = members_.token(0).calls("C_GenerateKey");
  expectAllComplete(broken, members_.run(broken));
  EXPECT_EQ(members_.token(0).calls("C_GenerateKey"), made);
}

/// A token that lies about what it did, although it answers CKR_OK.
TEST_F(CeremonyFault, AnImpossibleOutputEndsTheCeremony) {
  for (const char* const lie :
       {"C_WrapKey flip", "C_WrapKey pretend", "C_GenerateKey zero", "C_FindObjects no-objects",
        "C_GetSessionInfo garbage", "C_UnwrapKey pretend", "C_GenerateKeyPair pretend", "C_Sign pretend",
        "C_SignInit pretend", "C_GetAttributeValue garbage", "C_CreateObject pretend"}) {
    SCOPED_TRACE(lie);
    const Generation generation = next();
    Ceremony ceremony(generation, members_.open());
    members_.token(0).obey(lie);
    EXPECT_THROW(
        {
          logInAll(ceremony, members_.size());
          static_cast<void>(ceremony.prepare());
          static_cast<void>(ceremony.complete());
        },
        Failure);
    members_.heal();
    expectAllComplete(generation, members_.run(generation));
  }
}

}  // namespace
}  // namespace holdfast
