/// \file The proof that a copy of a key is the same key: a known answer, given by the original or checked
/// against it. Key wrap alone does not bind a blob to its key.
#pragma once

#include "key_kinds.h"
#include "session.h"

namespace holdfast {

/// A key on one member's token.
struct KeyOnMember {
  Session& session;
  CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
};

/// Throws `canary-failed` unless both are one key, as far as `kind.knownAnswer` shows it. `publicKey` is the
/// original's public half, an object of its session; only `kSignatureVerifies` uses it.
///
/// An AES key encrypts once for this, with a nonce of the original's token: the caller counts that encryption
/// before (invariant 9). The other messages are ones that no caller can have signed: the API allows neither
/// an empty message for a MAC, nor SHA-224 for RSA.
void requireSameKey(const KeyOnMember& original, const KeyOnMember& replica, const KeyKind& kind,
                    CK_OBJECT_HANDLE publicKey = CK_INVALID_HANDLE);

}  // namespace holdfast
