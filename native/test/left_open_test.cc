#include "core_fixture.h"

namespace holdfast {
namespace {

/// One lane, so every operation gets the session that the previous one left.
class LeftOpen : public testing::Test {
 protected:
  const EncryptedData& encrypted() const { return encrypted_; }
  Outcome decrypt(const Bytes& ciphertext) {
    const Bytes nonce(encrypted_.nonce.begin(), encrypted_.nonce.end());
    return pool_.run(member_, makeDecrypt(key_, nonce, ciphertext, {}));
  }
  Outcome encrypt() { return pool_.run(member_, makeEncrypt(key_, Secret(Bytes(8)), {})); }
  Outcome probe() { return pool_.run(member_, makeProbe(key_)); }
  const TestToken& token() const { return token_; }

 private:
  TestToken token_;
  TestPool pool_;
  int member_ = pool_.connect(token_.faultyModule(), {1, 1});
  MaterialPointer key_ = pool_.makeKey(member_);
  EncryptedData encrypted_ = valueOf<EncryptedData>(encrypt());
};

TEST_F(LeftOpen, ARefusedCiphertextIsTheCallersFaultEvenIfItsOperationStaysOpen) {
  Bytes changed = encrypted().ciphertext;
  changed.front() ^= 1U;
  token().obey("C_Decrypt times 1 leave-open 0x40");
  EXPECT_TRUE(failureOf(decrypt(changed)).callerFault);
  EXPECT_EQ(valueOf<Secret>(decrypt(encrypted().ciphertext)).size(), 8U);
}

TEST_F(LeftOpen, AnEncryptionLeftOpenBlocksNoLaterOne) {
  token().obey("C_Encrypt times 1 leave-open 0x6");
  static_cast<void>(failureOf(encrypt()));
  EXPECT_EQ(valueOf<EncryptedData>(encrypt()).ciphertext.size(), 8U + kTagLength);
}

TEST_F(LeftOpen, ASearchLeftOpenBlocksNoLaterOne) {
  token().obey("C_FindObjectsFinal times 1 leave-open 0x6");
  static_cast<void>(valueOf<std::monostate>(probe()));
  EXPECT_EQ(valueOf<Secret>(decrypt(encrypted().ciphertext)).size(), 8U);
  static_cast<void>(valueOf<std::monostate>(probe()));
}

/// The token gives this answer in every session.
TEST_F(LeftOpen, AnotherSessionIsTriedOnce) {
  token().obey("C_DecryptInit rv 0x90");
  const int before = token().calls("C_DecryptInit");
  EXPECT_EQ(failureOf(decrypt(encrypted().ciphertext)).kind, FailureKind::kSelfTestFailed);
  EXPECT_LT(token().calls("C_DecryptInit") - before, 20);
}

}  // namespace
}  // namespace holdfast
