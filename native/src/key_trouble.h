/// \file What is at fault when an operation under a proven key fails (invariants 5 and 16).
#pragma once

#include "key_proof.h"

namespace holdfast {

/// The trouble of one operation with its key.
class KeyTrouble {
 public:
  KeyTrouble(OperationContext& context, const MaterialPointer& material)
      : context_(context), material_(material) {}
  KeyTrouble(const KeyTrouble&) = delete;
  KeyTrouble& operator=(const KeyTrouble&) = delete;
  ~KeyTrouble() = default;

  /// Returns if the operation may begin again, and otherwise throws the verdict:
  /// - `callerFault`: C_Decrypt refused the ciphertext, and the canary decrypted afterwards on the same
  /// handle;
  /// - `key-refused`, `canary-failed` or another verdict on the material;
  /// - the failure with `hsmCleared`: key and HSM worked afterwards, so the request may be at fault;
  /// - the original failure, if nothing could be learned, or the failure that shows that the HSM is ill.
  void settle(const ProvenKey& key, const Failure& failure);

 private:
  void settleLostProof(const Failure& failure);
  void settleWhileProven(const ProvenKey& key, const Failure& failure);
  bool otherKeysEncrypt(const ProvenKey& key);
  void recordRefusal(const ProvenKey& key) const;

  OperationContext& context_;
  const MaterialPointer& material_;
  /// Key and HSM have worked since the first failure.
  bool cleared_ = false;
  bool provedAnew_ = false;
  /// The above was tested now, not remembered from a moment ago.
  bool examined_ = false;
};

/// Runs `use(key)` with a proven key; after a failure that may be the key's, once or twice more, unless it
/// may have encrypted: another encryption has to be accounted for first.
template <typename Use>
auto withProvenKey(OperationContext& context, const MaterialPointer& material, const Use& use) {
  KeyTrouble trouble(context, material);
  for (;;) {
    const auto key = provenKey(context, material);
    try {
      return use(key);
    } catch (const Failure& failure) {
      trouble.settle(key, failure);
    }
  }
}

}  // namespace holdfast
