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

/// HMACs of the empty message and of "a message" under a key that repeats the byte 0x0b, by OpenSSL.
struct MacVector {
  size_t length;
  const char* ofNothing;
  const char* ofMessage;
};
constexpr MacVector kMacVectors[] = {
    {28, "bc4862fe75a2d1a77896fb951eff1aa0beb9d45d23f1851f29b94c9a",
     "680c870bc51bacafe337180883f1f594863362f16ec0bcb309bb7a53"},
    {32, "5177e637aaac0b50e5dca8bb05b0b571444bd59b9b0d834d50681af21fc14b1e",
     "fa8b43e8fb1ed745153726bfe783a4a9bf663406ed166667d95927e26073f958"},
    {48, "b93a3e87a1bc85c87b54f81dabb499a5e1a662549198594c9088733c8edd006883e4d461823e62598b07a90428f9add9",
     "a3bd01e78201a7dde87bb610ef386f5a02578b680d1f4b0b9c17106a148048c10c4e5b7a8e87a44d0d8180e619891e20"},
    {64,
     "fbb23f5d678f4d3bf351d3a6565da69194e87c13bfc0bd078554014ee74b6ad28f3d39651ee3a91dfd9593493b9314b9bf561fd"
     "9c3cb33158a4f486673acfd13",
     "0493e348429f0a40fa69a8b6108439a1db09cc6bd6d2afaa17d39d1ee979c2cefd3cecca1561aec9cca8c24f36795dcbdb01cdc"
     "258709281ca11b10544dc2eeb"}};

Bytes fromHex(const std::string& digits) {
  Bytes bytes;
  for (size_t i = 0; i < digits.size(); i += 2)
    bytes.push_back(static_cast<uint8_t>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  return bytes;
}

TEST(KeyKinds, MacsAreThoseOfTheStandard) {
  const TestToken token;
  const FaultyHsm hsm(token);
  const auto session = hsm.openLoggedIn();
  TestPool pool;
  std::vector<MaterialPointer> materials;
  for (const auto& vector : kMacVectors) {
    const KeyName name{Bytes(32, static_cast<uint8_t>(vector.length)), "key"};
    auto known = keyTemplate(hmacKey(), name, Custody::kWrapped, true);
    known.bytes(CKA_VALUE, Bytes(vector.length, 0x0b));
    CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
    ASSERT_EQ(hsm.call().C_CreateObject(session, known.data(), known.size(), &made), CKR_OK);
    const Material material{{CKO_SECRET_KEY, name.id}, name.label, true, KnownMac{fromHex(vector.ofNothing)}};
    materials.push_back(std::make_shared<const Material>(material));
  }
  const int member = pool.connect(token.module());
  for (size_t i = 0; i < materials.size(); ++i) {
    SCOPED_TRACE(kMacVectors[i].length);
    const auto mac =
        valueOf<Secret>(pool.run(member, makeMac(materials[i], Secret(bytesOf("a message")), {})));
    EXPECT_TRUE(std::ranges::equal(mac.view(), fromHex(kMacVectors[i].ofMessage)));
  }
}

/// The holder of the PIN also lets it encrypt.
TEST(KeyKinds, AKeyForMacsThatDoesMoreIsNotUsed) {
  const TestToken token;
  const FaultyHsm hsm(token);
  const auto session = hsm.openLoggedIn();
  const Bytes id(32, 7);
  ObjectTemplate planted;
  planted.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
  planted.bytes(CKA_ID, id).bytes(CKA_LABEL, bytesOf("key")).bytes(CKA_VALUE, Bytes(32, 0x0b));
  planted.flags({CKA_TOKEN, CKA_PRIVATE, CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_WRAP_WITH_TRUSTED}, true);
  planted.flags({CKA_SIGN, CKA_VERIFY, CKA_DERIVE}, true);
  planted.flags({CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP}, false);
  CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
  ASSERT_EQ(hsm.call().C_CreateObject(session, planted.data(), planted.size(), &made), CKR_OK);
  TestPool pool;
  const int member = pool.connect(token.module());
  const Material claimed{{CKO_SECRET_KEY, id}, "key", true, KnownMac{fromHex(kMacVectors[1].ofNothing)}};
  const auto failed = failureOf(pool.run(member, makeProbe(std::make_shared<const Material>(claimed))));
  EXPECT_EQ(failed.kind, FailureKind::kMaterialMismatch);
  EXPECT_EQ(failed.detail, "a key for MACs may be used for something else too");
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
