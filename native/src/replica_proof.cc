#include "replica_proof.h"

#include <algorithm>
#include <string_view>

#include "failure.h"
#include "gcm.h"
#include "sha256.h"
#include "signing.h"

namespace holdfast {
namespace {

constexpr std::string_view kMessage = "holdfast replica";

ByteView message() { return {reinterpret_cast<const uint8_t*>(kMessage.data()), kMessage.size()}; }

void requireSame(bool same) {
  if (!same) throw failure(FailureKind::kCanaryFailed, "the copy is not the same key as the original");
}

bool isZero(ByteView bytes) {
  return std::ranges::all_of(bytes, [](uint8_t byte) { return byte == 0; });
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
  const Sha256 digest = sha256(message());
  const Bytes signature = sign(replica.session, replica.key, CKM_ECDSA, digest);
  requireSame(verifies(original.session, publicKey, CKM_ECDSA, digest, signature));
  if (verifies(original.session, publicKey, CKM_ECDSA, sha256(digest), signature))
    throw failure(FailureKind::kSelfTestFailed, "the HSM accepts a signature of something else");
}

}  // namespace

void requireSameKey(const KeyOnMember& original, const KeyOnMember& replica, const KeyKind& kind,
                    CK_OBJECT_HANDLE publicKey) {
  const auto sameSignature = [&](CK_MECHANISM_TYPE type, ByteView data) {
    requireSame(sign(original.session, original.key, type, data) ==
                sign(replica.session, replica.key, type, data));
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
