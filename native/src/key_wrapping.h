/// \file Carries a key from one token to another under a wrapping key that both have (PKCS#11 v2.40 §5.13
/// C_WrapKey, C_UnwrapKey; RFC 5649 AES key wrap with padding).
#pragma once

#include "attributes.h"
#include "bytes.h"
#include "key_kinds.h"
#include "session.h"

namespace holdfast {

/// Which key wraps which, and how.
struct Wrapping {
  CK_OBJECT_HANDLE wrappingKey = CK_INVALID_HANDLE;
  /// `Profile::keyWrapWithPadding`.
  CK_MECHANISM_TYPE mechanism = 0;
};

/// The key, encrypted under the wrapping key. Throws `bad-output` for an output that RFC 5649 rules out.
[[nodiscard]] Bytes wrapKey(Session& session, const Wrapping& wrapping, CK_OBJECT_HANDLE key);

/// Makes the key that the blob holds. Throws `bad-output` if it has no handle. Whether it is the right key,
/// with the right attributes, is for `requireKeyAsMade` and a known answer to say: a blob does not say what
/// it holds.
[[nodiscard]] CK_OBJECT_HANDLE unwrapKey(Session& session, const Wrapping& wrapping, ByteView blob,
                                         ObjectTemplate& wanted);

/// Throws `material-mismatch` unless a key has every attribute that `keyTemplate` asked for.
void requireKeyAsMade(const KeyAttributes& read, const KeyKind& kind, const KeyName& name, Custody custody,
                      Lifetime lifetime = Lifetime::kToken);

}  // namespace holdfast
