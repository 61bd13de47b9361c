/// \file The objects with a CKA_ID, and what they are (invariants 3 and 4; PKCS#11 v2.40 §5.7).
#pragma once

#include <vector>

#include "operation_context.h"

namespace holdfast {

/// At most `most` secret keys with this CKA_ID. The caller holds a lock of `token.objects()`.
std::vector<CK_OBJECT_HANDLE> findSecretKeys(OperationContext& context, const Bytes& id, size_t most);

/// The same after waiting for whoever makes or destroys objects.
std::vector<CK_OBJECT_HANDLE> findSecretKeysInTurn(OperationContext& context, const Bytes& id, size_t most);

/// Throws `bad-output` where the object can be read and is none that a search for this CKA_ID may give: what
/// a search gives is used, and destroyed, by its word. One that cannot be read may be half-made.
void requireFound(OperationContext& context, const Bytes& id, CK_OBJECT_HANDLE handle);

/// The one secret key with this CKA_ID: `material-ambiguous` where there are more, `material-missing` where
/// the token is alive and has none.
CK_OBJECT_HANDLE findOneSecretKey(OperationContext& context, const Bytes& id);

/// What the catalog says of a key.
struct ExpectedKey {
  const Bytes& id;
  const std::string& label;
  bool extractable;
};

/// `material-mismatch` unless the object is the AES key that the catalog describes.
void checkAttributes(OperationContext& context, CK_OBJECT_HANDLE key, const ExpectedKey& expected);

}  // namespace holdfast
