/// \file Keys as a wrapped cluster makes them, on SoftHSM.
#include "key_kinds.h"

#include "fault_module_fixture.h"

namespace holdfast {
namespace {

TEST(KeyKinds, ATemplateGivesItsAttributesInTheirOrderAndModifiableLast) {
  auto wanted = keyTemplate(aesKey(), {bytesOf("id"), "label"}, Custody::kWrapped, true, 32);
  const CK_ATTRIBUTE* const attributes = wanted.data();
  ASSERT_GT(wanted.size(), 3U);
  EXPECT_EQ(attributes[0].type, CK_ATTRIBUTE_TYPE(CKA_CLASS));
  EXPECT_EQ(*static_cast<const CK_ULONG*>(attributes[0].pValue), CK_ULONG(CKO_SECRET_KEY));
  EXPECT_EQ(attributes[wanted.size() - 1].type, CK_ATTRIBUTE_TYPE(CKA_MODIFIABLE));
  EXPECT_EQ(*static_cast<const CK_BBOOL*>(attributes[wanted.size() - 1].pValue), CK_FALSE);
}

TEST(KeyKinds, ANestedTemplateIsAnArrayOfAttributes) {
  ObjectTemplate wanted;
  wanted.nested(CKA_UNWRAP_TEMPLATE, unwrapTemplate(WrappingKeyKind::kPrivateKey));
  const CK_ATTRIBUTE& outer = wanted.data()[0];
  const auto* const inner = static_cast<const CK_ATTRIBUTE*>(outer.pValue);
  ASSERT_EQ(outer.ulValueLen, 6 * sizeof(CK_ATTRIBUTE));
  EXPECT_EQ(inner[1].type, CK_ATTRIBUTE_TYPE(CKA_PRIVATE));
  EXPECT_EQ(*static_cast<const CK_BBOOL*>(inner[1].pValue), CK_TRUE);
}

/// Makes an AES key in this custody and gives it to `check` as a material and by its attributes.
template <typename Check>
void withKey(Custody custody, const Check& check) {
  const TestToken token;
  TestPool pool;
  const int member = pool.connect(token.module());
  const Bytes id(32, 7);
  auto made = valueOf<EncryptedData>(
      pool.run(member, makeGenerateKey(id, "key", bytesOf("a known answer"), {}, custody)));
  Material material{{CKO_SECRET_KEY, id}, "key", custody == Custody::kWrapped, {}};
  material.knownAnswer = DecryptionCanary{
      {made.nonce.begin(), made.nonce.end()}, std::move(made.ciphertext), {}, bytesOf("a known answer")};
  const auto read =
      valueOf<std::vector<KeyAttributes>>(pool.run(member, makeReadAttributes(material.identity)));
  ASSERT_EQ(read.size(), 1U);
  check(pool, member, material, read[0]);
}

TEST(KeyKinds, AKeyOfAWrappedClusterLeavesItsTokenUnderTrustedKeysAlone) {
  withKey(Custody::kWrapped, [](TestPool& pool, int member, Material material, const KeyAttributes& read) {
    EXPECT_TRUE(read.sensitive && read.extractable && read.wrapWithTrusted && read.isPrivate);
    EXPECT_FALSE(read.modifiable || read.copyable || read.wrap || read.unwrap || read.sign || read.derive);
    valueOf<std::monostate>(pool.run(member, makeProbe(std::make_shared<const Material>(material))));
    // Recorded as one that stays in its token: the proof notices that it does not.
    material.extractable = false;
    const auto other = std::make_shared<const Material>(material);
    EXPECT_EQ(failureOf(pool.run(member, makeProbe(other))).kind, FailureKind::kMaterialMismatch);
  });
}

TEST(KeyKinds, AnyOtherKeyStaysInItsToken) {
  withKey(Custody::kStaysInToken,
          [](TestPool& pool, int member, const Material& material, const KeyAttributes& read) {
            EXPECT_TRUE(read.sensitive && read.neverExtractable && read.isPrivate);
            EXPECT_FALSE(read.extractable || read.wrapWithTrusted || read.trusted);
            valueOf<std::monostate>(pool.run(member, makeProbe(std::make_shared<const Material>(material))));
          });
}

/// The holder of the PIN made it: it can be wrapped under a key of their own, and read.
TEST(KeyKinds, AnExtractableKeyWithoutWrapWithTrustedIsNotUsed) {
  const TestToken token;
  const FaultyHsm hsm(token);
  const auto session = hsm.openLoggedIn();
  const Bytes id(32, 7);
  ObjectTemplate planted;
  planted.number(CKA_VALUE_LEN, 32).bytes(CKA_ID, id).bytes(CKA_LABEL, bytesOf("key"));
  planted.flags({CKA_TOKEN, CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_ENCRYPT, CKA_DECRYPT}, true);
  CK_MECHANISM mechanism{CKM_AES_KEY_GEN, nullptr, 0};
  CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
  ASSERT_EQ(hsm.call().C_GenerateKey(session, &mechanism, planted.data(), planted.size(), &made), CKR_OK);
  TestPool pool;
  const int member = pool.connect(token.module());
  const Material claimed{{CKO_SECRET_KEY, id}, "key", true, DecryptionCanary{}};
  const auto failed = failureOf(pool.run(member, makeProbe(std::make_shared<const Material>(claimed))));
  EXPECT_EQ(failed.kind, FailureKind::kMaterialMismatch);
  EXPECT_EQ(failed.detail, "CKA_WRAP_WITH_TRUSTED is not true");
}

}  // namespace
}  // namespace holdfast
