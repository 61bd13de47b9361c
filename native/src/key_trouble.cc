#include "key_trouble.h"

#include "other_keys.h"

namespace holdfast {
namespace {

[[nodiscard]] Failure callerFault(Failure failure) {
  failure.callerFault = true;
  return failure;
}

[[nodiscard]] Failure hsmCleared(Failure failure) {
  failure.hsmCleared = true;
  return failure;
}

}  // namespace

void KeyTrouble::settle(const ProvenKey& key, const Failure& failure) {
  if (failure.kind != FailureKind::kRv || !mayBeOfKey(failure)) throw Failure(failure);
  try {
    // A wrong key under the handle looks like a wrong tag, whatever the code. Only a canary that decrypts
    // afterwards shows that the ciphertext is at fault.
    const bool byCiphertext = traitsOf(failure.function).judgesInput;
    const Proof proof = byCiphertext ? Proof::kCanary : Proof::kAttributesAndCanary;
    if (!stillProves(context_, material_, key, proof)) return settleLostProof(failure);
    if (byCiphertext) throw callerFault(failure);
    settleWhileProven(key, failure);
  } catch (const Failure& verdict) {
    // A lane may start over in a new session, but not if C_Encrypt may have encrypted.
    if (mayHaveEncrypted(failure) && verdict.kind == FailureKind::kRv)
      throw verdict.hsmCleared ? Failure(verdict) : Failure(failure);
    throw;
  }
}

/// Called when the handle, or the key behind it, may have changed: provenKey checks once.
void KeyTrouble::settleLostProof(const Failure& failure) {
  if (provedAnew_ || mayHaveEncrypted(failure)) throw Failure(failure);
  provedAnew_ = true;
}

/// Called when the canary has decrypted again through the same handle.
void KeyTrouble::settleWhileProven(const ProvenKey& key, const Failure& failure) {
  if (failure.function == Function::C_DecryptInit) {
    // The canary decrypted, so this ciphertext's parameters were the cause, or the cause has passed.
    if (cleared_) throw hsmCleared(failure);
  } else if (failure.function == Function::C_EncryptInit && cleared_) {
    recordRefusal(key);
    throw keyFault(failure);
  } else {
    if (!otherKeysEncrypt(key)) throw Failure(failure);
    if (failure.function != Function::C_EncryptInit) {
      recordRefusal(key);
      throw hsmCleared(failure);
    }
  }
  cleared_ = true;
}

/// A key that is refused again and again must not make the HSM create another key each time.
bool KeyTrouble::otherKeysEncrypt(const ProvenKey& key) {
  if (key.entry->wasRefusedLately()) return true;
  examined_ = otherKeysWork(context_, material_->identity, Direction::kEncrypt);
  return examined_;
}

void KeyTrouble::recordRefusal(const ProvenKey& key) const {
  if (examined_) key.entry->recordRefusal(Clock::now());
}

}  // namespace holdfast
