#include "signing_answers.h"

#include <string_view>

#include "failure.h"
#include "known_answer.h"
#include "sha256.h"
#include "signing.h"

namespace holdfast {
namespace {

// No caller can have them signed: the API allows neither an empty message for a MAC, nor SHA-224 for RSA.
constexpr CK_MECHANISM_TYPE kRsaMechanism = CKM_SHA224_RSA_PKCS;
constexpr std::string_view kMessage = "holdfast known answer";

ByteView message() { return {reinterpret_cast<const uint8_t*>(kMessage.data()), kMessage.size()}; }

void requireAnswer(bool isRight) {
  if (!isRight) throw failure(FailureKind::kCanaryFailed, "the key under this CKA_ID gives another answer");
}

void requireNoForgery(bool isForged, Function function, const char* detail) {
  if (!isForged) return;
  Failure accepted = failure(FailureKind::kSelfTestFailed, detail);
  accepted.function = function;
  throw Failure(accepted);
}

/// SHA-2 HMACs by the length of the MAC (FIPS 180-4, figure 1), which is that of the key too.
CK_MECHANISM_TYPE macMechanism(size_t length) {
  switch (length) {
    case 28:
      return CKM_SHA224_HMAC;
    case 32:
      return CKM_SHA256_HMAC;
    case 48:
      return CKM_SHA384_HMAC;
    case 64:
      return CKM_SHA512_HMAC;
    default:
      throw failure(FailureKind::kMaterialMismatch, "no HMAC of SHA-2 has this length");
  }
}

/// The public half as a session object, gone at the end.
class PublicKey {
 public:
  PublicKey(Session& session, const KnownPublicKey& known) : session_(session) {
    ObjectTemplate wanted;
    wanted.number(CKA_CLASS, CKO_PUBLIC_KEY).number(CKA_KEY_TYPE, CKK_EC);
    wanted.flags({CKA_TOKEN, CKA_PRIVATE}, false).flag(CKA_VERIFY, true);
    wanted.bytes(CKA_EC_PARAMS, known.curve).bytes(CKA_EC_POINT, known.point);
    check(Function::C_CreateObject,
          session.functions().C_CreateObject(session.handle(), wanted.data(), wanted.size(), &handle_));
  }
  PublicKey(const PublicKey&) = delete;
  PublicKey& operator=(const PublicKey&) = delete;
  /// A session object that cannot be destroyed ends with its session.
  ~PublicKey() { session_.functions().C_DestroyObject(session_.handle(), handle_); }

  [[nodiscard]] bool accepts(ByteView digest, ByteView signature) const {
    return verifies(session_, handle_, CKM_ECDSA, digest, signature);
  }

 private:
  Session& session_;
  CK_OBJECT_HANDLE handle_ = CK_INVALID_HANDLE;
};

}  // namespace

const KeyKind& kindOf(const KnownMac& /*answer*/) { return hmacKey(); }
const KeyKind& kindOf(const KnownSignature& /*answer*/) { return rsaSigningKey(); }
const KeyKind& kindOf(const KnownPublicKey& /*answer*/) { return ecSigningKey(); }

void requireKind(const KnownMac& /*answer*/, const KeyAttributes& read) {
  requireAttribute(read.sign && read.verify, "CKA_SIGN and CKA_VERIFY are not both true");
  const bool doesMore = read.encrypt || read.decrypt || read.wrap || read.unwrap || read.derive;
  requireAttribute(!doesMore, "a key for MACs may be used for something else too");
}
void requireKind(const KnownSignature& /*answer*/, const KeyAttributes& read) {
  requireAttribute(read.sign, "CKA_SIGN is not true");
}
void requireKind(const KnownPublicKey& /*answer*/, const KeyAttributes& read) {
  requireAttribute(read.sign, "CKA_SIGN is not true");
}

Bytes macOf(Session& session, CK_OBJECT_HANDLE key, size_t length, ByteView message) {
  Bytes mac = sign(session, key, macMechanism(length), message);
  if (mac.size() != length) throw badOutput(Function::C_Sign, "the MAC has an impossible length");
  return mac;
}

KnownMac knownMacOf(Session& session, CK_OBJECT_HANDLE key, size_t length) {
  return {.mac = macOf(session, key, length, {})};
}

KnownSignature knownSignatureOf(Session& session, CK_OBJECT_HANDLE key) {
  return {.signature = sign(session, key, kRsaMechanism, message())};
}

void tryAnswer(OperationContext& context, const KnownMac& answer, CK_OBJECT_HANDLE key) {
  requireAnswer(knownMacOf(context.session, key, answer.mac.size()) == answer);
}

void tryAnswer(OperationContext& context, const KnownSignature& answer, CK_OBJECT_HANDLE key) {
  requireAnswer(knownSignatureOf(context.session, key) == answer);
}

void tryAnswer(OperationContext& context, const KnownPublicKey& answer, CK_OBJECT_HANDLE key) {
  const Sha256 digest = sha256(message());
  const Bytes signature = sign(context.session, key, CKM_ECDSA, digest);
  requireAnswer(PublicKey(context.session, answer).accepts(digest, signature));
}

void requireForgeriesRefused(OperationContext& context, const KnownMac& answer, CK_OBJECT_HANDLE key) {
  const size_t length = answer.mac.size();
  const bool isForged =
      macOf(context.session, key, length, {}) == macOf(context.session, key, length, message());
  requireNoForgery(isForged, Function::C_Sign, "the HSM makes the same MAC of two messages");
}

void requireForgeriesRefused(OperationContext& context, const KnownSignature& /*answer*/,
                             CK_OBJECT_HANDLE key) {
  const bool isForged =
      sign(context.session, key, kRsaMechanism, {}) == sign(context.session, key, kRsaMechanism, message());
  requireNoForgery(isForged, Function::C_Sign, "the HSM makes the same signature of two messages");
}

void requireForgeriesRefused(OperationContext& context, const KnownPublicKey& answer, CK_OBJECT_HANDLE key) {
  const Sha256 digest = sha256(message());
  const Bytes signature = sign(context.session, key, CKM_ECDSA, sha256(digest));
  requireNoForgery(PublicKey(context.session, answer).accepts(digest, signature), Function::C_Verify,
                   "the HSM accepts a signature of something else");
}

}  // namespace holdfast
