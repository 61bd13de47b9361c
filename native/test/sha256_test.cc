#include "sha256.h"

#include <gtest/gtest.h>

#include <string>

#include "core_fixture.h"
#include "rsa_public_key.h"

namespace holdfast {
namespace {

std::string hexOf(ByteView bytes) {
  std::string hex;
  for (const uint8_t byte : bytes) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 0x0f];
  }
  return hex;
}

/// The examples of FIPS 180-4 (NIST, SHA256.pdf), and the lengths around the end of a block, checked with
/// sha256sum.
TEST(Sha256, GivesTheDigestsOfTheStandard) {
  EXPECT_EQ(hexOf(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hexOf(sha256(bytesOf("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hexOf(sha256(bytesOf("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hexOf(sha256(Bytes(55, 'a'))),
            "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
  EXPECT_EQ(hexOf(sha256(Bytes(56, 'a'))),
            "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a");
  EXPECT_EQ(hexOf(sha256(Bytes(64, 'a'))),
            "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
  EXPECT_EQ(hexOf(sha256(Bytes(119, 'a'))),
            "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb");
  EXPECT_EQ(hexOf(sha256(Bytes(120, 'a'))),
            "2f3d335432c70b580af0e8e1b3674a7c020d683aa5f73aaaedfdc55af904c21c");
}

/// Checked with `openssl pkey -pubin -outform DER`.
TEST(RsaPublicKey, IsASubjectPublicKeyInfo) {
  Bytes modulus(256, 0x5a);
  modulus.front() = 0xc0;
  const Bytes der = subjectPublicKeyInfo({modulus, {1, 0, 1}});
  EXPECT_EQ(der.size(), 294U);
  EXPECT_EQ(hexOf(ByteView(der).first(34)),
            "30820122300d06092a864886f70d01010105000382010f003082010a0282010100c0");
  EXPECT_EQ(hexOf(ByteView(der).last(5)), "0203010001");
  EXPECT_EQ(fingerprintOf({modulus, {1, 0, 1}}), sha256(der));
}

}  // namespace
}  // namespace holdfast
