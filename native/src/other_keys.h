/// \file Whether the HSM works with another key, after one has failed: that decides whose fault it is.
#pragma once

#include "object_identity.h"
#include "operation_context.h"

namespace holdfast {

/// The direction that failed.
enum class Direction { kEncrypt, kDecrypt };

/// Throws unless the token keeps the session and the login: C_GetSessionInfo's failure, or its
/// CKR_USER_NOT_LOGGED_IN. No other function's answer proves either.
void requireSession(const OperationContext& context);

/// True if, from now on, the HSM encrypts or decrypts with another key: for decryption one that has proved
/// itself in this epoch, else one made for this moment. Throws `self-test-failed` if other keys fail too, and
/// as `requireSession`. False if nothing could be learned: no other key is known, and the token makes none.
[[nodiscard]] bool otherKeysWork(OperationContext& context, const ObjectIdentity& troubled,
                                 Direction direction);

/// After a search, or a reading of attributes, failed for this key: throws `look-up-failed` if the HSM
/// searches, or reads, no better for another one. That is the HSM's failure, although it works with the keys
/// it has found.
void requireLookUpOfOthers(OperationContext& context, const ObjectIdentity& troubled, const Failure& failure);

}  // namespace holdfast
