#include "decryption_canary.h"

#include <algorithm>

#include "failure.h"
#include "gcm.h"
#include "known_answer.h"

namespace holdfast {
namespace {

[[nodiscard]] Secret decrypt(OperationContext& context, const DecryptionCanary& canary,
                             CK_OBJECT_HANDLE key) {
  return gcmDecrypt(context.session, key, canary.nonce, canary.additionalData, canary.ciphertext);
}

[[nodiscard]] Failure forgeryAccepted(const char* detail) {
  Failure accepted = failure(FailureKind::kSelfTestFailed, detail);
  accepted.function = Function::C_Decrypt;
  return accepted;
}

bool isRefused(OperationContext& context, const DecryptionCanary& forgery, CK_OBJECT_HANDLE key) {
  try {
    static_cast<void>(decrypt(context, forgery, key));
    return false;
  } catch (const Failure& failure) {
    // The token was never asked to judge the ciphertext, or its output was impossible.
    if (failure.kind != FailureKind::kRv || !traitsOf(failure.function).judgesInput) throw;
    return true;
  }
}

}  // namespace

const KeyKind& kindOf(const DecryptionCanary& /*canary*/) { return aesKey(); }

void requireKind(const DecryptionCanary& /*canary*/, const KeyAttributes& read) {
  // Some tokens do not report the length of every key (SoftHSM 2.6.1 reports 0 after unwrapping).
  requireAttribute(read.valueLength.value_or(0) == 0 || read.valueLength == 32, "CKA_VALUE_LEN is not 32");
  requireAttribute(read.encrypt && read.decrypt, "CKA_ENCRYPT and CKA_DECRYPT are not both true");
}

void tryAnswer(OperationContext& context, const DecryptionCanary& canary, CK_OBJECT_HANDLE key) {
  const auto failed = [](const char* detail) { return failure(FailureKind::kCanaryFailed, detail); };
  if (canary.ciphertext.size() < kTagLength) throw failed("the canary is shorter than its tag");
  const Secret plaintext = decrypt(context, canary, key);
  if (std::ranges::equal(plaintext.view(), canary.plaintext)) return;
  throw failed("the key under this CKA_ID does not decrypt the material's canary");
}

void requireForgeriesRefused(OperationContext& context, const DecryptionCanary& canary,
                             CK_OBJECT_HANDLE key) {
  // tryAnswer reports this.
  if (canary.ciphertext.size() < kTagLength) return;
  DecryptionCanary changed = canary;
  // Changes the tag's last bit: a token that compares only part of a tag compares its first bytes.
  changed.ciphertext.back() ^= 1;
  if (!isRefused(context, changed, key))
    throw forgeryAccepted("the HSM decrypts a ciphertext whose tag was changed");
  changed = canary;
  if (changed.additionalData.empty())
    changed.additionalData.push_back(1);
  else
    changed.additionalData.back() ^= 1;
  if (!isRefused(context, changed, key))
    throw forgeryAccepted("the HSM decrypts a ciphertext whose additional data was changed");
}

}  // namespace holdfast
