/// \file The objects with an identity, and what they are (invariants 3 and 4; PKCS#11 v2.40 §5.7).
#pragma once

#include <vector>

#include "material.h"
#include "operation_context.h"

namespace holdfast {

/// At most `most` objects with this class and CKA_ID. The caller holds a lock of `token.objects()`.
[[nodiscard]] std::vector<CK_OBJECT_HANDLE> findObjects(OperationContext& context,
                                                        const ObjectIdentity& wanted, size_t most);

/// The same after waiting for whoever makes or destroys objects.
[[nodiscard]] std::vector<CK_OBJECT_HANDLE> findObjectsInTurn(OperationContext& context,
                                                              const ObjectIdentity& wanted, size_t most);

/// Throws `bad-output` where the object can be read and is none that a search for this CKA_ID may give: what
/// a search gives is used, and destroyed, by its word. One that cannot be read may be half-made.
void requireFound(OperationContext& context, const ObjectIdentity& wanted, CK_OBJECT_HANDLE handle);

/// The one secret key with this CKA_ID: `material-ambiguous` where there are more, `material-missing` where
/// the token is alive and has none.
[[nodiscard]] CK_OBJECT_HANDLE findOneObject(OperationContext& context, const ObjectIdentity& wanted);

/// Throws `material-mismatch` unless the object is the key that the catalog describes.
void checkAttributes(OperationContext& context, CK_OBJECT_HANDLE key, const Material& expected);

}  // namespace holdfast
