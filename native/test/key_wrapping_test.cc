/// \file One key of each class, carried between the tokens of a wrapped cluster (SoftHSM).
#include "key_wrapping.h"

#include "ceremony_fixture.h"
#include "made_keys.h"
#include "replica_proof.h"

namespace holdfast {
namespace {

constexpr Custody kWrapped = Custody::kWrapped;

/// Members after a ceremony, with the user logged in to each. One ceremony serves all tests: it makes an RSA
/// key on each member.
class KeyWrapping : public testing::Test {
 public:
  static void SetUpTestSuite() {
    members_ = std::make_unique<TestMembers>(3);
    static_cast<void>(members_->run(generation_));
    for (const auto& member : members_->open()) users_.push_back(std::make_unique<UserSession>(member));
  }
  static void TearDownTestSuite() {
    users_.clear();
    members_.reset();
  }

 protected:
  static UserSession& on(size_t member) { return *users_.at(member); }
  static Wrapping wrapping(size_t member, WrappingKeyKind kind) {
    return {on(member).wrappingKey(generation_, kind), on(member).profile().keyWrapWithPadding};
  }
  static Bytes wrap(size_t member, const KeyKind& kind, CK_OBJECT_HANDLE key) {
    return wrapKey(on(member).session(), wrapping(member, kind.wrappedBy), key);
  }
  static CK_OBJECT_HANDLE unwrap(size_t member, const KeyKind& kind, ByteView blob, const KeyName& name) {
    auto wanted = keyTemplate(kind, name, kWrapped, true);
    const auto key = unwrapKey(on(member).session(), wrapping(member, kind.wrappedBy), blob, wanted);
    requireKeyAsMade(readKeyAttributes(on(member).session(), key), kind, name, kWrapped);
    return key;
  }
  static CK_RV refusal(size_t member, const KeyKind& kind, ByteView blob, ObjectTemplate wanted) {
    try {
      static_cast<void>(unwrapKey(on(member).session(), wrapping(member, kind.wrappedBy), blob, wanted));
    } catch (const Failure& failure) {
      return failure.rv;
    }
    return CKR_OK;
  }

  inline static const Generation generation_{"cluster-test", 1};
  // NOLINTBEGIN(cppcoreguidelines-avoid-non-const-global-variables): shared by the suite
  inline static std::unique_ptr<TestMembers> members_;
  inline static std::vector<std::unique_ptr<UserSession>> users_;
  // NOLINTEND(cppcoreguidelines-avoid-non-const-global-variables)
};

TEST_F(KeyWrapping, OneKeyOfEachClassIsTheSameOnAllMembers) {
  for (const auto& kindOf : kKinds) {
    const KeyKind& kind = kindOf();
    SCOPED_TRACE(kind.name);
    const KeyName name = named(kind.name);
    const Made original = make(on(0), kind, name);
    requireKeyAsMade(readKeyAttributes(on(0).session(), original.key), kind, name, kWrapped);
    const Bytes blob = wrap(0, kind, original.key);
    const auto second = unwrap(1, kind, blob, name);
    const Bytes again = wrap(1, kind, second);
    EXPECT_EQ(again, blob);
    const auto third = unwrap(2, kind, again, name);
    const KeyOnMember first{on(0).session(), original.key};
    requireSameKey(first, {on(1).session(), second}, kind, original.publicKey);
    requireSameKey(first, {on(2).session(), third}, kind, original.publicKey);
    if (original.publicKey == CK_INVALID_HANDLE)
      requireSameKey({on(2).session(), third}, {on(1).session(), second}, kind);
  }
}

TEST_F(KeyWrapping, AnotherKeyIsNoticed) {
  for (const auto& kindOf : kKinds) {
    const KeyKind& kind = kindOf();
    SCOPED_TRACE(kind.name);
    const Made original = make(on(0), kind, named("original"));
    const Made other = make(on(1), kind, named("other"));
    try {
      requireSameKey({on(0).session(), original.key}, {on(1).session(), other.key}, kind, original.publicKey);
      ADD_FAILURE() << "two keys are taken for one";
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.kind, FailureKind::kCanaryFailed);
    }
  }
}

TEST_F(KeyWrapping, ABlobIsOfItsKindAlone) {
  const Made secret = make(on(0), hmacKey(), named("hmac"));
  const Made pair = make(on(0), ecSigningKey(), named("ec"));
  EXPECT_THROW(wrap(0, aesKey(), secret.key), Failure);
  EXPECT_THROW(wrap(0, hmacKey(), pair.key), Failure);
  EXPECT_THROW(wrap(0, ecSigningKey(), secret.key), Failure);
  const Bytes blob = wrap(0, ecSigningKey(), pair.key);
  EXPECT_THROW(unwrap(1, hmacKey(), blob, named("hmac")), Failure);
  EXPECT_EQ(refusal(1, ecSigningKey(), blob, keyTemplate(hmacKey(), named("x"), kWrapped, true)),
            CKR_TEMPLATE_INCONSISTENT);
}

/// What is asked of a blob here; `weakened` is false in it.
ObjectTemplate weakenedTemplate(CK_ATTRIBUTE_TYPE weakened) {
  ObjectTemplate wanted;
  wanted.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES).flag(CKA_TOKEN, false);
  for (const CK_ATTRIBUTE_TYPE type : {CKA_PRIVATE, CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_WRAP_WITH_TRUSTED})
    wanted.flag(type, type != weakened);
  return std::move(wanted.flags({CKA_SIGN, CKA_VERIFY, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE}, false));
}

/// Each of these would give the key to whoever has the PIN, or reaches the token without one.
TEST_F(KeyWrapping, ABlobUnwrapsOnlyAsAKeyThatStaysUnderTrust) {
  const Made original = make(on(0), aesKey(), named("aes"));
  const Bytes blob = wrap(0, aesKey(), original.key);
  EXPECT_EQ(refusal(1, aesKey(), blob, weakenedTemplate(CKA_TOKEN)), CKR_OK);
  for (const CK_ATTRIBUTE_TYPE weakened : {CKA_PRIVATE, CKA_SENSITIVE, CKA_WRAP_WITH_TRUSTED})
    EXPECT_EQ(refusal(1, aesKey(), blob, weakenedTemplate(weakened)), CKR_TEMPLATE_INCONSISTENT) << weakened;
}

TEST_F(KeyWrapping, AChangedBlobOrAnImpossibleOutputIsNoKey) {
  const Made original = make(on(0), aesKey(), named("aes"));
  Bytes blob = wrap(0, aesKey(), original.key);
  EXPECT_EQ(blob.size(), 40U);
  blob.back() ^= 1;
  EXPECT_THROW(unwrap(1, aesKey(), blob, named("aes")), Failure);
  for (const char* const lie : {"C_WrapKey pretend", "C_WrapKey rv 0x30"}) {
    members_->token(0).obey(lie);
    EXPECT_THROW(wrap(0, aesKey(), original.key), Failure) << lie;
  }
  members_->heal();
}

/// CKR_OK, although nothing was done: neither token may then pass for one that has the key.
TEST_F(KeyWrapping, ATokenThatOnlyPretendsProvesNothing) {
  struct Lie {
    const KeyKind& kind;
    const char* line;
  };
  for (const Lie& lie : {Lie{hmacKey(), "C_Sign pretend"}, Lie{hmacKey(), "C_SignInit pretend"},
                         Lie{rsaSigningKey(), "C_Sign pretend"}, Lie{ecSigningKey(), "C_Verify pretend"},
                         Lie{ecSigningKey(), "C_VerifyInit pretend"}, Lie{ecSigningKey(), "C_Sign pretend"},
                         Lie{aesKey(), "C_Encrypt pretend"}, Lie{aesKey(), "C_GenerateRandom pretend"},
                         Lie{aesKey(), "C_Decrypt pretend"}}) {
    SCOPED_TRACE(std::string(lie.kind.name) + ": " + lie.line);
    // A session of its own: such a call leaves its operation open.
    const auto open = members_->open();
    UserSession user(open[0]);
    const Made original = make(user, lie.kind, named("lie"));
    const KeyOnMember key{user.session(), original.key};
    requireSameKey(key, key, lie.kind, original.publicKey);
    members_->token(0).obey(lie.line);
    EXPECT_THROW(requireSameKey(key, key, lie.kind, original.publicKey), Failure);
    members_->heal();
  }
}

}  // namespace
}  // namespace holdfast
