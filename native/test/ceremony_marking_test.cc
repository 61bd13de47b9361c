/// \file A ceremony whose keys an officer marks as trusted after the user has made them.
#include <set>
#include <string>

#include "attributes.h"
#include "ceremony_fixture.h"
#include "failure.h"

namespace holdfast {
namespace {

const Generation kFirst{"cluster-test", 1};
constexpr size_t kKeys = kClusterKeys.size();

/// SoftHSM marks no key later: these ceremonies get as far as the pause.
class CeremonyMarking : public testing::Test {
 protected:
  std::vector<CeremonyMember> open() const {
    auto members = members_.open();
    for (auto& member : members) {
      member.maker = KeyMaker::kUserThenOfficer;
      member.profile.clusterKeysArePrivate = true;
    }
    return members;
  }

  static void logIn(Ceremony& ceremony) {
    for (size_t i = 0; i < 2; ++i) ceremony.logIn(i, Secret(bytesOf(TestToken::kPin)));
  }

  /// A run up to the pause.
  CarriedKeysState run(bool anew = false) const {
    Ceremony ceremony(kFirst, open());
    logIn(ceremony);
    static_cast<void>(ceremony.prepare(anew));
    return ceremony.complete();
  }

  /// What the tokens hold: the keys and no mark.
  void expectAllWait(const CarriedKeysState& state) const {
    EXPECT_EQ(state.unmarked.size(), 2 * kKeys);
    for (const auto& member : open()) {
      UserSession user(member);
      EXPECT_EQ(user.objects(), kKeys);
      EXPECT_EQ(readMark(user.session(), kFirst), std::nullopt);
    }
  }

  const TestMembers members_{2};
};

TEST_F(CeremonyMarking, TheKeysWaitWithoutAMarkAndNothingCanBeChanged) {
  const auto state = run();
  expectAllWait(state);
  EXPECT_EQ(state.unmarked.front().member, "member-0");
  EXPECT_EQ(state.unmarked.back().member, "member-1");
  UserSession user(open()[0]);
  for (const auto& key : kClusterKeys) {
    const auto found = findClusterKey(user.session(), nameOf(kFirst, key));
    ASSERT_EQ(found.size(), 1U);
    const auto read = readKeyAttributes(user.session(), found[0]);
    EXPECT_TRUE(read.isPrivate && read.sensitive && !read.trusted);
    EXPECT_FALSE(read.modifiable || read.extractable || read.copyable);
  }
}

TEST_F(CeremonyMarking, ALaterRunFindsTheSameKeysUnlessItIsToMakeOthers) {
  const auto digest = run().digest;
  const int made = members_.token(0).calls("C_GenerateKey");
  Ceremony later(kFirst, open());
  logIn(later);
  EXPECT_TRUE(later.prepare().empty());
  EXPECT_EQ(later.complete().digest, digest);
  EXPECT_EQ(members_.token(0).calls("C_GenerateKey"), made);
  const auto others = run(true);
  EXPECT_NE(others.digest, digest);
  expectAllWait(others);
}

/// Whoever has the user's PIN can do that during the pause.
TEST_F(CeremonyMarking, KeysThatAreReplacedWhileTheyWaitAreNoticed) {
  Ceremony waiting(kFirst, open());
  logIn(waiting);
  static_cast<void>(waiting.prepare());
  const auto digest = waiting.complete().digest;
  static_cast<void>(run(true));
  try {
    static_cast<void>(waiting.complete());
    FAIL() << "other keys were taken for the same";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.kind, FailureKind::kMaterialMismatch);
  }
  EXPECT_NE(run().digest, digest);
}

/// An officer who looks for a key by its label would mark the other one too, whose value its maker knows.
TEST_F(CeremonyMarking, AnotherObjectWithTheLabelOfAKeyIsNoticedBeforeAndAfterAnOfficerMarks) {
  Ceremony waiting(kFirst, open());
  logIn(waiting);
  static_cast<void>(waiting.prepare());
  static_cast<void>(waiting.complete());
  UserSession user(open()[1]);
  ObjectTemplate wanted;
  wanted.number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true).flag(CKA_PRIVATE, true);
  wanted.bytes(CKA_LABEL, nameOf(kFirst, kClusterKeys[0]).id);
  CK_OBJECT_HANDLE planted = CK_INVALID_HANDLE;
  auto& session = user.session();
  check(Function::C_CreateObject,
        session.functions().C_CreateObject(session.handle(), wanted.data(), wanted.size(), &planted));
  const auto expectAmbiguous = [](Ceremony& ceremony) {
    try {
      static_cast<void>(ceremony.complete());
      FAIL() << "the officer would find two objects";
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.kind, FailureKind::kMaterialAmbiguous);
      EXPECT_EQ(failure.member, 1);
    }
  };
  expectAmbiguous(waiting);
  Ceremony later(kFirst, open());
  logIn(later);
  EXPECT_TRUE(later.prepare().empty());
  expectAmbiguous(later);
}

/// Keys that are not on all members are made anew; those that are, are kept.
TEST_F(CeremonyMarking, ARunThatIsBrokenOffIsFollowedByOneThatGetsToThePause) {
  struct Call {
    size_t member;
    const char* function;
  };
  for (const Call& call :
       {Call{0, "C_GenerateKey"}, Call{0, "C_WrapKey"}, Call{1, "C_UnwrapKey"}, Call{1, "C_SignInit"}}) {
    SCOPED_TRACE(call.function);
    const int last = call.function == std::string("C_WrapKey") ? int(2 * kKeys) - 1 : 0;
    for (const int earlierCalls : std::set{0, last}) {
      members_.token(call.member)
          .obey(call.function + (" after " + std::to_string(earlierCalls)) + " times 1 rv 0x30");
      try {
        static_cast<void>(run(true));
      } catch (const Failure& failure) {
        EXPECT_EQ(failure.rv, CKR_DEVICE_ERROR) << messageOf(failure);
      }
      members_.heal();
      expectAllWait(run());
    }
  }
}

}  // namespace
}  // namespace holdfast
