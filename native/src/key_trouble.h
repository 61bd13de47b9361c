/// \file Finds out what is at fault when an operation under a proven key fails (invariants 5 and 16).
#pragma once

#include "key_proof.h"

namespace holdfast {

/// One operation's failures with its key, and what they have shown so far.
class KeyTrouble {
 public:
  KeyTrouble(OperationContext& context, const MaterialPointer& material)
      : context_(context), material_(material) {}
  KeyTrouble(const KeyTrouble&) = delete;
  KeyTrouble& operator=(const KeyTrouble&) = delete;
  ~KeyTrouble() = default;

  /// Returns if the operation may start over, and otherwise throws the verdict:
  /// - `callerFault`: C_Decrypt refused the ciphertext, and the canary decrypted afterwards through the same
  ///   handle;
  /// - `key-refused`, `canary-failed` or another verdict on the material;
  /// - the failure with `hsmCleared`: key and HSM worked afterwards, so the request may be at fault;
  /// - the original failure, if nothing could be learned, or the failure that shows that the HSM is ill.
  void settle(const ProvenKey& key, const Failure& failure);

 private:
  void settleLostProof(const Failure& failure);
  void settleWhileProven(const ProvenKey& key, const Failure& failure);
  [[nodiscard]] bool otherKeysEncrypt(const ProvenKey& key);
  void recordRefusal(const ProvenKey& key) const;

  OperationContext& context_;
  const MaterialPointer& material_;
  /// Whether key and HSM have worked since the first failure.
  bool cleared_ = false;
  bool provedAnew_ = false;
  /// Whether `cleared_` comes from a test made now, not from one remembered from a moment ago.
  bool examined_ = false;
};

/// Runs `use(key)` with a proven key. After a failure that the key may have caused, runs it once or twice
/// more, unless it may have encrypted: another encryption must be counted first.
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
