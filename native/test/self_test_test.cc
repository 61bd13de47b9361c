#include "core_fixture.h"

namespace holdfast {
namespace {

/// Every session of the process would: an inventory would tell of a key that nothing accounts for.
TEST(SelfTest, NobodySeesItsKeyInTheToken) {
  const TestToken token;
  TestPool pool;
  const int member = pool.connect(token.faultyModule());
  const auto key = pool.makeKey(member);
  const auto sealed = valueOf<Sealed>(pool.run(member, makeEncrypt(key, Secret(Bytes(8)), {})));
  token.obey("C_Decrypt times 2 rv 0x5\nC_Encrypt hang");
  const Bytes nonce(sealed.nonce.begin(), sealed.nonce.end());
  auto decryption = pool.post(member, makeDecrypt(key, nonce, sealed.ciphertext, {}));
  ASSERT_TRUE(eventually([&] { return token.inside("C_Encrypt") == 1; }));
  const int before = token.calls("C_FindObjectsInit");
  auto inventory =
      pool.start([&](const auto& answer) { pool.pool().inventory(answer, member, after(20'000)); });
  EXPECT_EQ(inventory.wait_for(std::chrono::milliseconds(200)), std::future_status::timeout);
  EXPECT_EQ(token.calls("C_FindObjectsInit"), before);
  token.heal();
  EXPECT_EQ(failureOf(decryption.get()).kind, FailureKind::kCanaryFailed);
  EXPECT_EQ(valueOf<std::vector<ObjectSummary>>(inventory.get()).size(), 1U);
}

}  // namespace
}  // namespace holdfast
