/// \file Whether the HSM works with another key after one has failed, which decides whose fault it is.
#pragma once

#include "object_identity.h"
#include "operation_context.h"

namespace holdfast {

/// The direction that failed.
enum class Direction { kEncrypt, kDecrypt };

/// Throws if the token has lost the session or the login: C_GetSessionInfo's failure, or its
/// CKR_USER_NOT_LOGGED_IN. No other function's answer proves either.
void requireSession(const OperationContext& context);

/// True if the HSM encrypts or decrypts with another key, tested from now on. For decryption that is a key
/// that has proved itself in this epoch, or else one made for this test. Throws `self-test-failed` if other
/// keys fail too, and what `requireSession` throws. False if nothing could be learned: no other key is known,
/// and the token makes none.
[[nodiscard]] bool otherKeysWork(OperationContext& context, const ObjectIdentity& troubled,
                                 Direction direction);

/// Called after a search or a reading of attributes failed for this key. Throws `look-up-failed` if the HSM
/// fails in the same way for another one. That is the HSM's failure, although it works with keys whose
/// handles are known.
void requireLookUpOfOthers(OperationContext& context, const ObjectIdentity& troubled, const Failure& failure);

}  // namespace holdfast
