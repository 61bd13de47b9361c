#include "forgeries.h"

#include "gcm.h"
#include "key_proof.h"

namespace holdfast {
namespace {

Failure forgeryAccepted(const char* detail) {
  Failure accepted = failure(FailureKind::kSelfTestFailed, detail);
  accepted.function = Function::C_Decrypt;
  return accepted;
}

bool isRefused(OperationContext& context, CK_OBJECT_HANDLE key, const Material& forgery) {
  try {
    static_cast<void>(gcmDecrypt(context.session, key, forgery.canaryNonce, forgery.canaryAdditionalData,
                                 forgery.canaryCiphertext));
    return false;
  } catch (const Failure& failure) {
    // It was never asked about the ciphertext, or answered what cannot be.
    if (failure.kind != FailureKind::kRv || !traitsOf(failure.function).judgesInput) throw;
    return true;
  }
}

void requireForgeriesRefused(OperationContext& context, const Material& material, CK_OBJECT_HANDLE key) {
  // Left to tryCanary, which says so.
  if (material.canaryCiphertext.size() < kTagLength) return;
  Material changed = material;
  // Its last bit: a tag that is compared in part is compared from its beginning.
  changed.canaryCiphertext.back() ^= 1;
  if (!isRefused(context, key, changed))
    throw forgeryAccepted("the HSM decrypts a ciphertext whose tag was changed");
  changed = material;
  if (changed.canaryAdditionalData.empty())
    changed.canaryAdditionalData.push_back(1);
  else
    changed.canaryAdditionalData.back() ^= 1;
  if (!isRefused(context, key, changed))
    throw forgeryAccepted("the HSM decrypts a ciphertext whose additional data was changed");
}

}  // namespace

void tryCanaryAndForgeries(OperationContext& context, const Material& material, CK_OBJECT_HANDLE key) {
  auto& refuses = context.selfTest.refusesForgeries;
  const bool isKnown = refuses.load();
  if (!isKnown) requireForgeriesRefused(context, material, key);
  tryCanary(context, material, key);
  if (!isKnown) refuses = true;
}

}  // namespace holdfast
