#include "self_test.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "attributes.h"
#include "failure.h"
#include "gcm.h"
#include "return_values.h"

namespace holdfast {
namespace {

/// More than two blocks, all different, so blocks that come back in another order are noticed.
constexpr std::string_view kPlaintext = "what the HSM encrypts decrypts to what it was";
constexpr std::string_view kAdditionalData = "self-test";

ByteView viewOf(const auto& bytes) { return {bytes.data(), bytes.size()}; }

ByteView viewOf(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

/// A session object (PKCS#11 v2.40 §4.4): it ends with the session, even if destroying it fails. It makes
/// only two encryptions, so a counter serves as nonce.
class SessionKey {
 public:
  explicit SessionKey(OperationContext& context) : context_(context), renewals_(context.session.renewals()) {
    CK_OBJECT_CLASS secretKey = CKO_SECRET_KEY;
    CK_KEY_TYPE aes = CKK_AES;
    CK_ULONG length = 32;
    CK_BBOOL yes = CK_TRUE;
    CK_BBOOL no = CK_FALSE;
    std::array<CK_ATTRIBUTE, 9> wanted{{{CKA_CLASS, &secretKey, sizeof secretKey},
                                        {CKA_KEY_TYPE, &aes, sizeof aes},
                                        {CKA_VALUE_LEN, &length, sizeof length},
                                        {CKA_TOKEN, &no, sizeof no},
                                        {CKA_PRIVATE, &yes, sizeof yes},
                                        {CKA_SENSITIVE, &yes, sizeof yes},
                                        {CKA_EXTRACTABLE, &no, sizeof no},
                                        {CKA_ENCRYPT, &yes, sizeof yes},
                                        {CKA_DECRYPT, &yes, sizeof yes}}};
    CK_MECHANISM mechanism{CKM_AES_KEY_GEN, nullptr, 0};
    CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
    const CK_RV rv = context.functions().C_GenerateKey(context.session.handle(), &mechanism, wanted.data(),
                                                       wanted.size(), &made);
    if (rv == CKR_OK && made == CK_INVALID_HANDLE)
      throw badOutput(Function::C_GenerateKey, "the key has no handle");
    // A second function, after the one that failed, says that the token is lost.
    if (returnValue(rv).tokenLost()) throw rvFailure(Function::C_GenerateKey, rv);
    if (rv == CKR_OK) handle_ = made;
  }
  SessionKey(const SessionKey&) = delete;
  SessionKey& operator=(const SessionKey&) = delete;
  ~SessionKey() {
    // If its session has ended, the handle may be another object's by now.
    if (!handle_ || context_.session.renewals() != renewals_) return;
    context_.functions().C_DestroyObject(context_.session.handle(), *handle_);
  }

  const std::optional<CK_OBJECT_HANDLE>& handle() const { return handle_; }

 private:
  OperationContext& context_;
  const uint64_t renewals_;
  std::optional<CK_OBJECT_HANDLE> handle_;
};

struct Sample {
  Nonce nonce{};
  Bytes ciphertext;
};

[[nodiscard]] Failure selfTestFailed(Failure why, const char* detail) {
  why.kind = FailureKind::kSelfTestFailed;
  why.detail = detail;
  return why;
}

/// Encrypts once. Returns nothing if the token has never encrypted under such a key: it may not allow that.
[[nodiscard]] std::optional<Sample> encryptOnce(OperationContext& context, CK_OBJECT_HANDLE key,
                                                uint8_t number) {
  Sample sample;
  auto& [nonce, ciphertext] = sample;
  if (!context.profile.tokenMakesNonces) nonce.back() = number;
  try {
    ciphertext =
        context.profile.tokenMakesNonces
            ? gcmEncryptWithTokenNonce(context.session, key, nonce, viewOf(kAdditionalData),
                                       viewOf(kPlaintext))
            : gcmEncrypt(context.session, key, viewOf(nonce), viewOf(kAdditionalData), viewOf(kPlaintext));
    return sample;
  } catch (const Failure& failure) {
    const bool neverPassed = context.selfTest.passed.load() == Clock::time_point{};
    if (failure.kind == FailureKind::kRv && neverPassed) return std::nullopt;
    throw selfTestFailed(failure, "the HSM no longer encrypts, even under a key made just now");
  }
}

void requireDecryption(OperationContext& context, CK_OBJECT_HANDLE key, const Sample& sample) {
  const auto* const detail = "the HSM does not decrypt what it has just encrypted";
  try {
    const Secret plaintext =
        gcmDecrypt(context.session, key, viewOf(sample.nonce), viewOf(kAdditionalData), sample.ciphertext);
    if (std::ranges::equal(plaintext.view(), viewOf(kPlaintext))) return;
  } catch (const Failure& failure) {
    throw selfTestFailed(failure, detail);
  }
  throw failure(FailureKind::kSelfTestFailed, detail);
}

}  // namespace

bool passesSelfTest(OperationContext& context) {
  const auto since = Clock::now();
  // All sessions of the process see the key (PKCS#11 v2.40 §4.4), but no inventory may.
  const auto lock = lockExclusive(context, context.token.objects());
  requireTime(context, bool(lock));
  if (context.selfTest.passed.load() >= since) return true;
  const auto begun = Clock::now();
  const SessionKey key(context);
  if (!key.handle()) return false;
  // The second round finds a token that repeats the previous call's output.
  for (const uint8_t number : {1, 2}) {
    const auto sample = encryptOnce(context, *key.handle(), number);
    if (!sample) return false;
    requireDecryption(context, *key.handle(), *sample);
  }
  context.selfTest.passed = begun;
  return true;
}

bool readsSessionKey(OperationContext& context) {
  const auto lock = lockExclusive(context, context.token.objects());
  requireTime(context, bool(lock));
  const SessionKey key(context);
  if (!key.handle()) return false;
  static_cast<void>(readKeyAttributes(context.session, *key.handle()));
  return true;
}

}  // namespace holdfast
