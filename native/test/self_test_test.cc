#include "core_fixture.h"

namespace holdfast {
namespace {

std::string hexOf(const Bytes& bytes) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : bytes) {
    text.push_back(kDigits[byte >> 4U]);
    text.push_back(kDigits[byte & 0xfU]);
  }
  return text;
}

/// An inventory must not see the key either, or it would report a key that nothing accounts for.
TEST(SelfTest, ItsKeyIsNeverSeenInTheToken) {
  const TestToken token;
  TestPool pool;
  const int member = pool.connect(token.faultyModule());
  const auto key = pool.makeKey(member);
  const auto encrypted = valueOf<EncryptedData>(pool.run(member, makeEncrypt(key, Secret(Bytes(8)), {})));
  const std::string ill = "C_Decrypt key " + hexOf(key->identity.id) + " rv 0x5";
  token.obey(ill + "\nC_Encrypt hang");
  const Bytes nonce(encrypted.nonce.begin(), encrypted.nonce.end());
  auto decryption = pool.post(member, makeDecrypt(key, nonce, encrypted.ciphertext, {}));
  ASSERT_TRUE(eventually([&] { return token.inside("C_Encrypt") == 1; }));
  const int before = token.calls("C_FindObjectsInit");
  auto inventory =
      pool.start([&](const auto& answer) { pool.pool().inventory(answer, member, after(20'000)); });
  EXPECT_EQ(inventory.wait_for(std::chrono::milliseconds(200)), std::future_status::timeout);
  EXPECT_EQ(token.calls("C_FindObjectsInit"), before);
  token.obey(ill);
  EXPECT_EQ(failureOf(decryption.get()).kind, FailureKind::kCanaryFailed);
  token.heal();
  EXPECT_EQ(valueOf<std::vector<ObjectSummary>>(inventory.get()).size(), 1U);
}

}  // namespace
}  // namespace holdfast
