#include "encryption_check.h"

#include <algorithm>

#include "gcm.h"
#include "other_keys.h"
#include "return_values.h"

namespace holdfast {
namespace {

constexpr unsigned kChecked = 2;

/// Whether the lane, or KeyTrouble, would encrypt again by itself after this failure.
bool mayBeginAgain(const Failure& failure) {
  return failure.kind == FailureKind::kRv && (returnValue(failure.rv).sessionLost || mayBeOfKey(failure));
}

class Check {
 public:
  Check(OperationContext& context, const MaterialPointer& material, const ProvenKey& key, ByteView plaintext,
        ByteView additionalData, const EncryptedData& encrypted)
      : context_(context),
        material_(material),
        key_(key),
        plaintext_(plaintext),
        additionalData_(additionalData),
        encrypted_(encrypted) {}

  /// Applies the rule for a caller's ciphertext: it is bad only if the canary decrypts and the ciphertext
  /// then fails again. The second attempt uses the handle that the key has by then.
  void run() const {
    if (decryptsUnder(key_.handle)) return;
    const bool holds = stillProves(context_, material_, key_, Proof::kCanary);
    if (decryptsUnder(holds ? key_.handle : provenKey(context_, material_).handle)) return;
    throw verdict();
  }

 private:
  bool decryptsUnder(CK_OBJECT_HANDLE handle) const {
    try {
      const Secret opened = gcmDecrypt(context_.session, handle, {encrypted_.nonce.data(), kNonceLength},
                                       additionalData_, encrypted_.ciphertext);
      return std::ranges::equal(opened.view(), plaintext_);
    } catch (const Failure& failure) {
      if (!mayBeOfKey(failure) && failure.kind != FailureKind::kBadOutput) throw;
      return false;
    }
  }

  /// A key that keeps encrypting wrongly must not make the HSM create another key each time.
  Failure verdict() const {
    auto wrong =
        badOutput(Function::C_Encrypt, "the ciphertext does not decrypt to the plaintext that was encrypted");
    wrong.kind = FailureKind::kKeyRefused;
    if (key_.entry->wasRefusedLately()) return wrong;
    if (otherKeysWork(context_, material_->identity, Direction::kEncrypt)) {
      key_.entry->recordRefusal(Clock::now());
      return wrong;
    }
    wrong.kind = FailureKind::kSelfTestFailed;
    return wrong;
  }

  OperationContext& context_;
  const MaterialPointer& material_;
  const ProvenKey& key_;
  ByteView plaintext_;
  ByteView additionalData_;
  const EncryptedData& encrypted_;
};

}  // namespace

void requireDecryptable(OperationContext& context, const MaterialPointer& material, const ProvenKey& key,
                        ByteView plaintext, ByteView additionalData, const EncryptedData& encrypted) {
  if (key.entry->checkedEncryptions() >= kChecked) return;
  try {
    Check(context, material, key, plaintext, additionalData, encrypted).run();
  } catch (const Failure& failure) {
    if (!mayBeginAgain(failure)) throw;
    Failure unchecked = failure;
    unchecked.kind = FailureKind::kHandleRevoked;
    unchecked.detail = "what was encrypted could not be checked";
    throw Failure(unchecked);
  }
  key.entry->recordCheckedEncryption();
}

}  // namespace holdfast
