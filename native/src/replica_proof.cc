#include "replica_proof.h"

#include <algorithm>
#include <string_view>

#include "failure.h"
#include "gcm.h"
#include "sha256.h"

namespace holdfast {
namespace {

constexpr std::string_view kMessage = "holdfast replica";

/// Room for an RSA signature of 4,096 bits, and more.
constexpr size_t kRoomForSignature = 1024;

ByteView message() { return {reinterpret_cast<const uint8_t*>(kMessage.data()), kMessage.size()}; }

void requireSame(bool same) {
  if (!same) throw failure(FailureKind::kCanaryFailed, "the copy is not the same key as the original");
}

bool isZero(ByteView bytes) {
  return std::ranges::all_of(bytes, [](uint8_t byte) { return byte == 0; });
}

/// C_SignInit and C_Sign (PKCS#11 v2.40 §5.11).
Bytes sign(const KeyOnMember& by, CK_MECHANISM_TYPE type, ByteView data) {
  CK_MECHANISM mechanism{type, nullptr, 0};
  auto& functions = by.session.functions();
  by.session.begin(Function::C_SignInit, [&](CK_SESSION_HANDLE handle) {
    return functions.C_SignInit(handle, &mechanism, by.key);
  });
  Bytes signature(kRoomForSignature);
  CK_ULONG length = signature.size();
  check(Function::C_Sign,
        functions.C_Sign(by.session.handle(), pointerFor(data), data.size(), signature.data(), &length));
  if (length == 0 || length > signature.size())
    throw badOutput(Function::C_Sign, "the signature has an impossible length");
  signature.resize(length);
  // Two tokens that wrote nothing would seem to have one key.
  if (isZero(signature)) throw badOutput(Function::C_Sign, "the signature was not written");
  return signature;
}

/// Whether C_Verify accepts the signature. Throws for a failure that says nothing of the signature.
bool verifies(const KeyOnMember& by, CK_MECHANISM_TYPE type, ByteView data, ByteView signature) {
  CK_MECHANISM mechanism{type, nullptr, 0};
  auto& functions = by.session.functions();
  by.session.begin(Function::C_VerifyInit, [&](CK_SESSION_HANDLE handle) {
    return functions.C_VerifyInit(handle, &mechanism, by.key);
  });
  return functions.C_Verify(by.session.handle(), pointerFor(data), data.size(), pointerFor(signature),
                            signature.size()) == CKR_OK;
}

Nonce drawNonce(Session& session) {
  Nonce nonce{};
  check(Function::C_GenerateRandom,
        session.functions().C_GenerateRandom(session.handle(), nonce.data(), nonce.size()));
  if (isZero(nonce)) throw badOutput(Function::C_GenerateRandom, "the token gave no random bytes");
  return nonce;
}

void requireDecryption(const KeyOnMember& original, const KeyOnMember& replica) {
  const Nonce nonce = drawNonce(original.session);
  const Bytes ciphertext = gcmEncrypt(original.session, original.key, nonce, {}, message());
  try {
    const Secret plaintext = gcmDecrypt(replica.session, replica.key, nonce, {}, ciphertext);
    requireSame(std::ranges::equal(plaintext.view(), message()));
  } catch (const Failure& failure) {
    if (!traitsOf(failure.function).judgesInput) throw;
    requireSame(false);
  }
}

/// A signature that would verify under any key would prove nothing, so a wrong one must not.
void requireVerification(const KeyOnMember& original, const KeyOnMember& replica,
                         CK_OBJECT_HANDLE publicKey) {
  const KeyOnMember verifier{original.session, publicKey};
  const Sha256 digest = sha256(message());
  const Bytes signature = sign(replica, CKM_ECDSA, digest);
  requireSame(verifies(verifier, CKM_ECDSA, digest, signature));
  if (verifies(verifier, CKM_ECDSA, sha256(digest), signature))
    throw failure(FailureKind::kSelfTestFailed, "the HSM accepts a signature of something else");
}

}  // namespace

void requireSameKey(const KeyOnMember& original, const KeyOnMember& replica, const KeyKind& kind,
                    CK_OBJECT_HANDLE publicKey) {
  const auto sameSignature = [&](CK_MECHANISM_TYPE type, ByteView data) {
    requireSame(sign(original, type, data) == sign(replica, type, data));
  };
  switch (kind.knownAnswer) {
    case KnownAnswerKind::kDecrypts:
      return requireDecryption(original, replica);
    case KnownAnswerKind::kSameMac:
      return sameSignature(CKM_SHA256_HMAC, {});
    case KnownAnswerKind::kSameSignature:
      return sameSignature(CKM_SHA224_RSA_PKCS, message());
    case KnownAnswerKind::kSignatureVerifies:
      return requireVerification(original, replica, publicKey);
  }
}

}  // namespace holdfast
