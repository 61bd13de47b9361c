/// \file The lanes' operations that carry a key from one member to another.
#include "attributes.h"
#include "ceremony_fixture.h"

namespace holdfast {
namespace {

/// Three members after a ceremony, in one pool. One ceremony serves all tests.
class Replication : public testing::Test {
 public:
  static void SetUpTestSuite() {
    members_ = std::make_unique<TestMembers>(3);
    static_cast<void>(members_->run(generation_));
  }
  static void TearDownTestSuite() { members_.reset(); }

  Replication() {
    for (size_t i = 0; i < members_->size(); ++i) {
      const int member = pool_.connect(members_->token(i).faultyModule(), {1, 1});
      pool_.pool().setProfile(member, softHsmProfile(), 1);
      // The profile counts from the next epoch on.
      valueOf<MemberOpened>(pool_.reopen(member));
      valueOf<uint64_t>(pool_.logIn(member));
      pool_.admit(member);
    }
  }

 protected:
  /// A new key on the first member. Each has a CKA_ID of its own.
  MaterialPointer make() {
    const auto drawn = valueOf<Secret>(pool_.run(0, makeRandom(32)));
    Material material{{CKO_SECRET_KEY, {drawn.view().begin(), drawn.view().end()}}, "key", true, {}};
    auto made = valueOf<EncryptedData>(
        pool_.run(0, makeGenerateKey(material.identity.id, "key", bytesOf("known"), {}, Custody::kWrapped)));
    material.knownAnswer = DecryptionCanary{
        {made.nonce.begin(), made.nonce.end()}, std::move(made.ciphertext), {}, bytesOf("known")};
    return std::make_shared<const Material>(std::move(material));
  }
  Bytes wrap(int member, const MaterialPointer& material) {
    return valueOf<Bytes>(pool_.run(member, makeWrapKey(material, generation_)));
  }
  Outcome unwrap(int member, const MaterialPointer& material, const Bytes& blob) {
    return pool_.run(member, makeUnwrapKey(material, generation_, blob));
  }
  size_t copies(int member, const MaterialPointer& material) {
    return valueOf<std::vector<KeyAttributes>>(pool_.run(member, makeReadAttributes(material->identity)))
        .size();
  }

  inline static const Generation generation_{"cluster-test", 1};
  // NOLINTBEGIN(cppcoreguidelines-avoid-non-const-global-variables): shared by the suite
  inline static std::unique_ptr<TestMembers> members_;
  // NOLINTEND(cppcoreguidelines-avoid-non-const-global-variables)
  TestPool pool_;
};

TEST_F(Replication, WhatOneMemberEncryptsAnotherDecrypts) {
  const auto key = make();
  const Bytes blob = wrap(0, key);
  EXPECT_EQ(valueOf<uint64_t>(unwrap(1, key, blob)), 1U);
  EXPECT_EQ(valueOf<uint64_t>(unwrap(2, key, wrap(1, key))), 1U);
  const auto encrypted =
      valueOf<EncryptedData>(pool_.run(2, makeEncrypt(key, Secret(bytesOf("plaintext")), {})));
  const Bytes nonce(encrypted.nonce.begin(), encrypted.nonce.end());
  for (const int member : {0, 1}) {
    const auto plaintext =
        valueOf<Secret>(pool_.run(member, makeDecrypt(key, nonce, encrypted.ciphertext, {})));
    EXPECT_TRUE(std::ranges::equal(plaintext.view(), bytesOf("plaintext")));
  }
}

TEST_F(Replication, AMemberThatHasTheKeyGetsNoSecondOne) {
  const auto key = make();
  const Bytes blob = wrap(0, key);
  EXPECT_EQ(valueOf<uint64_t>(unwrap(0, key, blob)), 0U);
  EXPECT_EQ(valueOf<uint64_t>(unwrap(1, key, blob)), 1U);
  EXPECT_EQ(valueOf<uint64_t>(unwrap(1, key, blob)), 0U);
  EXPECT_EQ(copies(0, key), 1U);
  EXPECT_EQ(copies(1, key), 1U);
}

/// Key wrap alone does not bind a blob to its key.
TEST_F(Replication, ABlobOfAnotherKeyLeavesNothingBehind) {
  const auto key = make();
  const auto other = make();
  static_cast<void>(failureOf(unwrap(1, key, wrap(0, other))));
  EXPECT_EQ(copies(1, key), 0U);
  EXPECT_EQ(valueOf<uint64_t>(unwrap(1, key, wrap(0, key))), 1U);
}

TEST_F(Replication, AKeyThatStaysInItsTokenCannotBeWrapped) {
  const auto key = pool_.makeKey(0);
  EXPECT_EQ(failureOf(pool_.run(0, makeWrapKey(key, generation_))).rv, CKR_KEY_UNEXTRACTABLE);
}

TEST_F(Replication, AMemberWithoutTheGenerationWrapsNothing) {
  const auto failed = failureOf(pool_.run(0, makeWrapKey(make(), {"cluster-test", 2})));
  EXPECT_EQ(failed.kind, FailureKind::kMaterialMissing);
}

/// Each call of a replication fails in turn; the next attempt completes with one copy.
TEST_F(Replication, AFailedCallLeavesNothingInTheWayOfTheNextAttempt) {
  const auto& token = members_->token(1);
  for (const char* const fault :
       {"C_FindObjects times 1 rv 0x30", "C_FindObjects times 1 no-objects",
        "C_GetAttributeValue times 1 rv 0x30", "C_GetAttributeValue after 2 times 1 rv 0x30",
        "C_UnwrapKey times 1 rv 0x30", "C_UnwrapKey times 1 pretend", "C_DecryptInit times 1 rv 0x30",
        "C_Decrypt times 1 rv 0x30", "C_Decrypt times 1 rv 0x30\nC_DestroyObject times 1 rv 0x30"}) {
    SCOPED_TRACE(fault);
    const auto key = make();
    const Bytes blob = wrap(0, key);
    token.obey(fault);
    static_cast<void>(unwrap(1, key, blob));
    token.heal();
    static_cast<void>(valueOf<uint64_t>(unwrap(1, key, blob)));
    EXPECT_EQ(copies(1, key), 1U);
    valueOf<std::monostate>(pool_.run(1, makeProbe(key)));
  }
}

}  // namespace
}  // namespace holdfast
