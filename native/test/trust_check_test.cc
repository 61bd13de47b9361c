/// \file The check of trust on wrapping keys that were prepared wrongly: each attack is reported.
#include "trust_check.h"

#include <set>

#include "ceremony_fixture.h"

namespace holdfast {
namespace {

const Generation kFirst{"cluster-test", 1};
const ClusterKey& kKey = clusterKeyFor(WrappingKeyKind::kAes);

/// An attribute in it has the opposite value, or is left out. CKA_PRIVATE is that of the unwrap template.
using Weakness = std::set<CK_ATTRIBUTE_TYPE>;

ObjectTemplate unwrapTemplateWith(const Weakness& weakness) {
  if (!weakness.contains(CKA_PRIVATE)) return unwrapTemplate(WrappingKeyKind::kAes);
  ObjectTemplate open = wrapTemplate(WrappingKeyKind::kAes);
  return std::move(open.flags({CKA_SENSITIVE, CKA_WRAP_WITH_TRUSTED}, true));
}

/// The attributes of the ceremony's wrapping key for AES keys, but for the weakness.
ObjectTemplate weakKey(const Weakness& weakness) {
  const KeyName name = nameOf(kFirst, kKey);
  ObjectTemplate wanted;
  const auto flag = [&](CK_ATTRIBUTE_TYPE type, bool value) {
    wanted.flag(type, value != weakness.contains(type));
  };
  wanted.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES).number(CKA_VALUE_LEN, 32);
  wanted.flag(CKA_TOKEN, true).flag(CKA_PRIVATE, false).flag(CKA_TRUSTED, true);
  wanted.flags({CKA_WRAP, CKA_UNWRAP}, true).bytes(CKA_ID, name.id).bytes(CKA_LABEL, name.id);
  flag(CKA_SENSITIVE, true);
  for (const CK_ATTRIBUTE_TYPE type :
       {CKA_EXTRACTABLE, CKA_COPYABLE, CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY, CKA_DERIVE})
    flag(type, false);
  if (!weakness.contains(CKA_ALLOWED_MECHANISMS)) wanted.onlyMechanism(CKM_AES_KEY_WRAP_PAD);
  if (!weakness.contains(CKA_WRAP_TEMPLATE))
    wanted.nested(CKA_WRAP_TEMPLATE, wrapTemplate(WrappingKeyKind::kAes));
  if (!weakness.contains(CKA_UNWRAP_TEMPLATE))
    wanted.nested(CKA_UNWRAP_TEMPLATE, unwrapTemplateWith(weakness));
  flag(CKA_MODIFIABLE, false);
  return wanted;
}

/// A member after a ceremony, whose wrapping key for AES keys the officer then replaces.
class TrustCheck : public testing::Test {
 protected:
  TrustCheck() { static_cast<void>(members_.run(kFirst)); }

  void prepareWith(const Weakness& weakness) {
    const auto open = members_.open();
    CeremonySession officer(*open[0].token, Secret(bytesOf(TestMembers::kOfficerPin)));
    auto& session = officer.session();
    for (const auto old : findClusterKey(session, nameOf(kFirst, kKey)))
      check(Function::C_DestroyObject, session.functions().C_DestroyObject(session.handle(), old));
    auto wanted = weakKey(weakness);
    CK_MECHANISM mechanism{CKM_AES_KEY_GEN, nullptr, 0};
    CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
    check(Function::C_GenerateKey, session.functions().C_GenerateKey(session.handle(), &mechanism,
                                                                     wanted.data(), wanted.size(), &made));
  }

  /// The attacks that succeed, as the user or without a PIN. Fails if another one does not hold.
  std::set<std::string> successes(bool isUser) {
    const auto open = members_.open();
    const Secret pin(bytesOf(TestToken::kPin));
    std::set<std::string> names;
    for (const auto& one : checkTrust(open[0], kFirst, isUser ? &pin : nullptr, after(60'000))) {
      if (one.held) continue;
      EXPECT_EQ(one.detail, "the attack succeeded") << one.attack;
      names.insert(one.attack);
    }
    return names;
  }

  const TestMembers members_{1};
};

std::set<std::string> onWrappingKey(const std::set<std::string>& attacks) {
  std::set<std::string> names;
  for (const auto& attack : attacks) names.insert(attack + "-wraps-aes");
  return names;
}

TEST_F(TrustCheck, TheCeremonysKeysAndRightOnesWithstandEverything) {
  EXPECT_EQ(successes(true), std::set<std::string>());
  prepareWith({});
  EXPECT_EQ(successes(true), std::set<std::string>());
  EXPECT_EQ(successes(false), std::set<std::string>());
}

TEST_F(TrustCheck, WhatAMissingAttributeWouldStopIsReported) {
  struct Case {
    Weakness weakness;
    std::set<std::string> attacks;
  };
  for (const Case& one : {
           Case{{CKA_SENSITIVE, CKA_EXTRACTABLE},
                {"read-cluster-key", "wrap-cluster-keys", "wrap-cluster-key-under-own-key"}},
           Case{{CKA_EXTRACTABLE}, {"wrap-cluster-keys", "wrap-cluster-key-under-own-key"}},
           Case{{CKA_MODIFIABLE}, {"set-cluster-key-to-decrypt"}},
           Case{{CKA_COPYABLE, CKA_MODIFIABLE},
                {"copy-cluster-key-to-decrypt", "set-cluster-key-to-decrypt"}},
           Case{{CKA_ALLOWED_MECHANISMS}, {"wrap-by-another-mechanism"}},
           Case{{CKA_ALLOWED_MECHANISMS, CKA_ENCRYPT},
                {"encrypt-with-cluster-key", "wrap-by-another-mechanism"}},
           Case{{CKA_ALLOWED_MECHANISMS, CKA_DECRYPT},
                {"decrypt-with-cluster-key", "wrap-by-another-mechanism"}},
           Case{{CKA_ALLOWED_MECHANISMS, CKA_SIGN}, {"sign-with-cluster-key", "wrap-by-another-mechanism"}},
           Case{{CKA_WRAP_TEMPLATE}, {"wrap-another-kind"}},
           Case{{CKA_UNWRAP_TEMPLATE},
                {"unwrap-as-readable", "unwrap-as-wrappable", "unwrap-as-public-object",
                 "unwrap-as-wrapping-key", "unwrap-as-another-type"}},
       }) {
    prepareWith(one.weakness);
    EXPECT_EQ(successes(true), onWrappingKey(one.attacks));
  }
}

TEST_F(TrustCheck, WithoutAPinABlobUnwrapsAsAPublicKeyUnlessTheTemplateForbidsIt) {
  prepareWith({CKA_PRIVATE});
  EXPECT_TRUE(successes(false).contains("unwrap-as-public-object-wraps-aes"));
}

}  // namespace
}  // namespace holdfast
