/// \file Whether the HSM refuses ciphertexts that were changed: all that AES-GCM promises beyond secrecy.
#pragma once

#include "material.h"
#include "operation_context.h"

namespace holdfast {

/// `tryCanary`, and before it, once in an epoch, the canary with a bit of its tag changed, and with a bit of
/// its additional data changed. Throws `self-test-failed` where the HSM decrypts either: it can be trusted
/// with no ciphertext. A refusal, whatever its code, counts because the canary decrypts after it: an HSM that
/// is gone refuses too.
void tryCanaryAndForgeries(OperationContext& context, const Material& material, CK_OBJECT_HANDLE key);

}  // namespace holdfast
