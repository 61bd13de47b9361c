/// \file The lanes' operations that carry a key from one member to another.
#include "attributes.h"
#include "ceremony_fixture.h"
#include "made_keys.h"
#include "signing_answers.h"

namespace holdfast {
namespace {

/// Three members after a ceremony, in one pool. One ceremony serves all tests.
class Replication : public testing::Test {
 public:
  static void SetUpTestSuite() {
    members_ = std::make_unique<TestMembers>(3);
    for (const auto& generation : {generation_, later_}) static_cast<void>(members_->run(generation));
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
  inline static const Generation later_{"cluster-test", 2};
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

/// CKA_EC_PARAMS and CKA_EC_POINT.
KnownPublicKey publicKeyOf(UserSession& on, CK_OBJECT_HANDLE publicKey) {
  std::array<uint8_t, 64> curve{};
  std::array<uint8_t, 256> point{};
  std::array read{CK_ATTRIBUTE{CKA_EC_PARAMS, curve.data(), curve.size()},
                  CK_ATTRIBUTE{CKA_EC_POINT, point.data(), point.size()}};
  auto& session = on.session();
  check(Function::C_GetAttributeValue,
        session.functions().C_GetAttributeValue(session.handle(), publicKey, read.data(), read.size()));
  return {.curve = {curve.begin(), curve.begin() + read[0].ulValueLen},
          .point = {point.begin(), point.begin() + read[1].ulValueLen}};
}

KnownAnswer answerOf(UserSession& on, const KeyKind& kind, const Made& made) {
  switch (kind.knownAnswer) {
    case KnownAnswerKind::kSameMac:
      return knownMacOf(on.session(), made.key, 32);
    case KnownAnswerKind::kSameSignature:
      return knownSignatureOf(on.session(), made.key);
    default:
      return publicKeyOf(on, made.publicKey);
  }
}

/// A key of each kind but AES, which the other tests use: made on the first member, and in the catalog's
/// words.
MaterialPointer makeOf(UserSession& on, const KeyKind& kind, const std::string& label) {
  const KeyName name = named(label);
  const Made made = make(on, kind, name);
  return std::make_shared<const Material>(
      Material{{kind.objectClass, name.id}, label, true, answerOf(on, kind, made)});
}

TEST_F(Replication, AKeyOfEachKindIsCopiedAndProvesItself) {
  UserSession user(members_->open().front());
  for (const auto& kindOf : std::span(kKinds).subspan(1)) {
    const KeyKind& kind = kindOf();
    SCOPED_TRACE(kind.name);
    const auto key = makeOf(user, kind, kind.name);
    const auto other = makeOf(user, kind, kind.name + std::string(", another"));
    // This module was opened before the keys were made.
    EXPECT_EQ(copies(0, key), 1U);
    const Bytes blob = wrap(0, key);
    EXPECT_EQ(valueOf<uint64_t>(unwrap(1, key, blob)), 1U);
    EXPECT_EQ(valueOf<uint64_t>(unwrap(2, key, wrap(1, key))), 1U);
    EXPECT_EQ(valueOf<uint64_t>(unwrap(1, key, blob)), 0U);
    for (const int member : {0, 1, 2}) valueOf<std::monostate>(pool_.run(member, makeProbe(key)));
    static_cast<void>(failureOf(unwrap(1, other, blob)));
    EXPECT_EQ(copies(1, other), 0U);
  }
}

TEST_F(Replication, ABlobOfAnotherKindMakesNoKey) {
  UserSession user(members_->open().front());
  const auto mac = makeOf(user, hmacKey(), "a MAC key of another kind");
  const auto signing = makeOf(user, ecSigningKey(), "a signing key of another kind");
  static_cast<void>(failureOf(unwrap(1, mac, wrap(0, signing))));
  static_cast<void>(failureOf(unwrap(1, signing, wrap(0, mac))));
  EXPECT_EQ(copies(1, mac) + copies(1, signing), 0U);
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

/// A search that lies must not have a key made twice.
TEST_F(Replication, ASearchThatFindsNothingMakesNoSecondKey) {
  const auto key = make();
  const Bytes blob = wrap(0, key);
  EXPECT_EQ(valueOf<uint64_t>(unwrap(1, key, blob)), 1U);
  members_->token(1).obey("C_FindObjects no-objects");
  EXPECT_EQ(failureOf(unwrap(1, key, blob)).kind, FailureKind::kBadOutput);
  EXPECT_EQ(failureOf(pool_.run(1, makeReadGenerations(generation_.cluster))).kind, FailureKind::kBadOutput);
  members_->token(1).heal();
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
  const auto failed = failureOf(pool_.run(0, makeWrapKey(make(), {"cluster-test", 9})));
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

Bytes backupMac(TestPool& pool, int member, const Generation& generation, const Bytes& data) {
  return valueOf<Bytes>(pool.run(member, makeBackupMac(generation, data)));
}

TEST_F(Replication, AllMembersMakeTheSameMacAndOfOtherDataAnotherOne) {
  const Bytes mac = backupMac(pool_, 0, generation_, bytesOf("backup"));
  EXPECT_EQ(mac.size(), 32U);
  EXPECT_EQ(backupMac(pool_, 1, generation_, bytesOf("backup")), mac);
  EXPECT_EQ(backupMac(pool_, 2, generation_, bytesOf("backup")), mac);
  EXPECT_NE(backupMac(pool_, 0, generation_, bytesOf("backuq")), mac);
}

TEST_F(Replication, NoMacIsMadeUnderAGenerationThatTheTokenLacks) {
  const auto failure = failureOf(pool_.run(0, makeBackupMac({"cluster-test", 7}, bytesOf("backup"))));
  EXPECT_EQ(failure.kind, FailureKind::kMaterialMissing);
}

TEST_F(Replication, ABlobIsProvedOnAMemberWithAndWithoutTheKey) {
  const auto key = make();
  const Bytes blob = wrap(0, key);
  for (const int member : {0, 1})
    valueOf<std::monostate>(pool_.run(member, makeProveBlob(key, generation_, blob)));
  // The copy that was proved is gone, and the key in use is the same.
  EXPECT_EQ(copies(0, key), 1U);
  EXPECT_EQ(copies(1, key), 0U);
  EXPECT_EQ(copies(1, std::make_shared<const Material>(Material{{CKO_SECRET_KEY, {}}, "", true, {}})), 0U);
  valueOf<std::monostate>(pool_.run(0, makeProbe(key)));
}

TEST_F(Replication, ABlobOfEachKindIsProved) {
  UserSession user(members_->open().front());
  for (const auto& kindOf : std::span(kKinds).subspan(1)) {
    const KeyKind& kind = kindOf();
    SCOPED_TRACE(kind.name);
    const auto key = makeOf(user, kind, kind.name + std::string(", archived"));
    const auto other = makeOf(user, kind, kind.name + std::string(", archived too"));
    EXPECT_EQ(copies(0, key), 1U);
    const Bytes blob = wrap(0, key);
    valueOf<std::monostate>(pool_.run(1, makeProveBlob(key, generation_, blob)));
    static_cast<void>(failureOf(pool_.run(1, makeProveBlob(other, generation_, blob))));
    EXPECT_EQ(copies(1, key) + copies(1, other), 0U);
  }
}

/// What a repair that was misled leaves behind.
TEST_F(Replication, OneOfSeveralObjectsOfAKeyIsLeft) {
  const auto key = make();
  const Bytes blob = wrap(0, key);
  EXPECT_EQ(valueOf<uint64_t>(unwrap(1, key, blob)), 1U);
  EXPECT_EQ(valueOf<uint64_t>(pool_.run(1, makeResolveDuplicates(key))), 0U);
  EXPECT_EQ(valueOf<uint64_t>(pool_.run(1, makeUnwrapKey(key, generation_, blob, Novelty::kNew))), 1U);
  EXPECT_EQ(failureOf(pool_.run(1, makeProbe(key))).kind, FailureKind::kMaterialAmbiguous);
  EXPECT_EQ(valueOf<uint64_t>(pool_.run(1, makeResolveDuplicates(key))), 1U);
  EXPECT_EQ(copies(1, key), 1U);
  valueOf<std::monostate>(pool_.run(1, makeProbe(key)));
}

TEST_F(Replication, NothingIsDestroyedBesideAnObjectThatIsNotTheKey) {
  const auto key = make();
  auto planted = *make();
  EXPECT_EQ(valueOf<uint64_t>(unwrap(1, key, wrap(0, key))), 1U);
  Material other = *key;
  other.knownAnswer = planted.knownAnswer;
  EXPECT_EQ(valueOf<uint64_t>(pool_.run(
                1, makeUnwrapKey(std::make_shared<const Material>(other), generation_,
                                 wrap(0, std::make_shared<const Material>(planted)), Novelty::kNew))),
            1U);
  EXPECT_EQ(failureOf(pool_.run(1, makeResolveDuplicates(key))).kind, FailureKind::kCanaryFailed);
  EXPECT_EQ(copies(1, key), 2U);
}

std::string inHex(const Bytes& bytes) {
  std::string hex;
  for (const uint8_t byte : bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    hex += {kDigits[byte >> 4U], kDigits[byte & 15U]};
  }
  return hex;
}

/// A destruction that a search hid from this process is not reported as done the next time either.
TEST_F(Replication, AKeyThatSearchesHideIsNeverCountedAsDestroyed) {
  const auto key = make();
  EXPECT_EQ(valueOf<uint64_t>(unwrap(1, key, wrap(0, key))), 1U);
  members_->token(1).obey("C_FindObjects key " + inHex(key->identity.id) + " no-objects");
  for (int attempt = 0; attempt < 3; ++attempt)
    EXPECT_EQ(failureOf(pool_.run(1, makeDestroyKey(key->identity))).kind, FailureKind::kBadOutput);
  members_->token(1).heal();
  EXPECT_EQ(valueOf<uint64_t>(pool_.run(1, makeDestroyKey(key->identity))), 1U);
}

/// A member that was added after a backup lacks the generation of its blobs.
TEST_F(Replication, ABlobIsWrappedAnewForAMemberWithoutItsGeneration) {
  const auto key = make();
  const Bytes blob = wrap(0, key);
  const auto again = valueOf<Bytes>(pool_.run(0, makeRewrapBlob(key, generation_, blob, later_)));
  EXPECT_NE(again, blob);
  EXPECT_EQ(valueOf<uint64_t>(pool_.run(1, makeUnwrapKey(key, later_, again))), 1U);
  EXPECT_EQ(copies(0, key), 1U);
  static_cast<void>(failureOf(pool_.run(0, makeRewrapBlob(make(), generation_, blob, later_))));
  const Generation missing{generation_.cluster, 9};
  EXPECT_EQ(failureOf(pool_.run(0, makeRewrapBlob(key, generation_, blob, missing))).kind,
            FailureKind::kMaterialMissing);
}

TEST_F(Replication, ABlobThatIsDamagedOrOfAnotherKeyIsNotProved) {
  const auto key = make();
  Bytes blob = wrap(0, key);
  EXPECT_EQ(failureOf(pool_.run(1, makeProveBlob(make(), generation_, blob))).kind, FailureKind::kRv);
  blob[7] ^= 1;
  static_cast<void>(failureOf(pool_.run(1, makeProveBlob(key, generation_, blob))));
  EXPECT_EQ(copies(1, key), 0U);
}

}  // namespace
}  // namespace holdfast
