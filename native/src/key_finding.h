/// \file Finds the objects with an identity, and checks them (invariants 3 and 4; PKCS#11 v2.40 §5.7).
#pragma once

#include <vector>

#include "material.h"
#include "operation_context.h"

namespace holdfast {

/// At most `most` objects with this class and CKA_ID. The caller holds a lock of `token.objects()`.
[[nodiscard]] std::vector<CK_OBJECT_HANDLE> findObjects(OperationContext& context,
                                                        const ObjectIdentity& wanted, size_t most);

/// Calls `findObjects` after waiting for other threads that make or destroy objects.
[[nodiscard]] std::vector<CK_OBJECT_HANDLE> findObjectsInTurn(OperationContext& context,
                                                              const ObjectIdentity& wanted, size_t most);

/// Throws `bad-output` if the object can be read and does not match a search for this CKA_ID. An
/// object that a search gives is used, or destroyed, so a search that lies would cost a key. An object that
/// cannot be read may be half-made.
void requireFound(OperationContext& context, const ObjectIdentity& wanted, CK_OBJECT_HANDLE handle);

/// The one secret key with this CKA_ID. Throws `material-ambiguous` if there are several, `material-missing`
/// if the token is alive and has none.
[[nodiscard]] CK_OBJECT_HANDLE findOneObject(OperationContext& context, const ObjectIdentity& wanted);

/// Throws `material-mismatch` unless the object is the key that the catalog describes.
void checkAttributes(OperationContext& context, CK_OBJECT_HANDLE key, const Material& expected);

}  // namespace holdfast
