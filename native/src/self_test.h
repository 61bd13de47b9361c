/// \file Tests whether an HSM decrypts at all, when a key has failed its canary.
#pragma once

#include "clock.h"
#include "operation_context.h"

namespace holdfast {

/// Encrypts and decrypts with a key that lives for this call only, or shares the result of a test that began
/// after this call. Returns false if nothing was learned: the token makes no such key, or has never encrypted
/// under one in this epoch. Throws `self-test-failed` if its own ciphertext does not decrypt, or if it no
/// longer encrypts.
[[nodiscard]] bool passesSelfTest(OperationContext& context);

/// Reads the attributes of a key that lives for this call only. Throws C_GetAttributeValue's failure. Returns
/// false if the token makes no such key.
[[nodiscard]] bool readsSessionKey(OperationContext& context);

}  // namespace holdfast
