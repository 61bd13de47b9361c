/// \file The session objects that attacks make, and what they do with them.
#pragma once

#include <map>

#include "attacks/attack.h"
#include "object_template.h"

namespace holdfast {

using Flags = std::map<CK_ATTRIBUTE_TYPE, bool>;

/// An AES key of the attacker's own, which can do everything, and is readable.
[[nodiscard]] ObjectTemplate ownKeyTemplate(const Scene& scene, const Flags& more = {});
[[nodiscard]] CK_OBJECT_HANDLE generateOwnKey(const Scene& scene, const Flags& more = {});

/// A throwaway key with the attributes of a KMS key of a wrapped cluster.
[[nodiscard]] CK_OBJECT_HANDLE makeVictim(const Scene& scene, WrappingKeyKind kind);
/// A throwaway key of the target's kind, wrapped under the target.
[[nodiscard]] Bytes victimsBlob(const Scene& scene);
/// The attributes with which the service would unwrap it, as a session object, but for `changed`.
[[nodiscard]] ObjectTemplate replicaTemplate(const Scene& scene, WrappingKeyKind kind,
                                             const Flags& changed = {});
/// Unwraps a blob under the target.
[[nodiscard]] CK_OBJECT_HANDLE unwrapUnderTarget(const Scene& scene, ByteView blob, ObjectTemplate wanted);

/// C_WrapKey without a look at what comes out.
void tryWrap(const Scene& scene, CK_MECHANISM mechanism, CK_OBJECT_HANDLE wrappingKey, CK_OBJECT_HANDLE key);
/// C_CopyObject as a session object with these attributes.
[[nodiscard]] CK_OBJECT_HANDLE copyWith(const Scene& scene, CK_OBJECT_HANDLE object, const Flags& changed);
/// C_SetAttributeValue.
void setFlag(const Scene& scene, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, bool value);
/// Whether CKA_VALUE can be read.
[[nodiscard]] bool showsValue(const Scene& scene, CK_OBJECT_HANDLE object);

}  // namespace holdfast
