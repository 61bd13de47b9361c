/// \file The known answer of an AES-256 key: a ciphertext that it decrypts (known_answer.h).
#pragma once

#include "attributes.h"
#include "key_kinds.h"
#include "material.h"
#include "operation_context.h"

namespace holdfast {

[[nodiscard]] const KeyKind& kindOf(const DecryptionCanary& canary);

/// Requires 256 bits, and a key that encrypts and decrypts.
void requireKind(const DecryptionCanary& canary, const KeyAttributes& read);

/// Throws `canary-failed` if the plaintext differs, and the failures of C_DecryptInit and C_Decrypt.
void tryAnswer(OperationContext& context, const DecryptionCanary& canary, CK_OBJECT_HANDLE key);

/// Tries the canary with a bit of its tag changed, and with a bit of its additional data changed: refusing
/// both is all that AES-GCM promises beyond secrecy. Throws `self-test-failed` if the HSM decrypts either.
void requireForgeriesRefused(OperationContext& context, const DecryptionCanary& canary, CK_OBJECT_HANDLE key);

}  // namespace holdfast
