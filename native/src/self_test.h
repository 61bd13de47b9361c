/// \file Whether an HSM decrypts at all, asked when a key fails its canary.
#pragma once

#include "clock.h"
#include "operation_context.h"

namespace holdfast {

/// Encrypts and decrypts with a key that lives for this call only, or shares a test that began later than
/// this call. False if nothing was learned: the token makes no such key, or has never encrypted under one in
/// this epoch. Throws `self-test-failed` if its own ciphertext does not decrypt, or if it no longer encrypts.
[[nodiscard]] bool passesSelfTest(OperationContext& context);

/// Reads the attributes of a key that lives for this call only; throws C_GetAttributeValue's failure. False
/// if the token makes no such key.
bool readsSessionKey(OperationContext& context);

}  // namespace holdfast
