/// \file The known answers of keys that sign or make MACs (known_answer.h).
#pragma once

#include "attributes.h"
#include "key_kinds.h"
#include "material.h"
#include "operation_context.h"

namespace holdfast {

[[nodiscard]] const KeyKind& kindOf(const KnownMac& answer);
[[nodiscard]] const KeyKind& kindOf(const KnownSignature& answer);
[[nodiscard]] const KeyKind& kindOf(const KnownPublicKey& answer);

/// Requires a key that signs; one for MACs verifies too, and does nothing else.
void requireKind(const KnownMac& answer, const KeyAttributes& read);
void requireKind(const KnownSignature& answer, const KeyAttributes& read);
void requireKind(const KnownPublicKey& answer, const KeyAttributes& read);

/// Throws `canary-failed` if the answer is another one, and the failures of C_Sign and C_Verify.
void tryAnswer(OperationContext& context, const KnownMac& answer, CK_OBJECT_HANDLE key);
void tryAnswer(OperationContext& context, const KnownSignature& answer, CK_OBJECT_HANDLE key);
void tryAnswer(OperationContext& context, const KnownPublicKey& answer, CK_OBJECT_HANDLE key);

/// Throws `self-test-failed` for an HSM whose answer is the same whatever the message, or that accepts a
/// signature of another message: from it any key would prove itself.
void requireForgeriesRefused(OperationContext& context, const KnownMac& answer, CK_OBJECT_HANDLE key);
void requireForgeriesRefused(OperationContext& context, const KnownSignature& answer, CK_OBJECT_HANDLE key);
void requireForgeriesRefused(OperationContext& context, const KnownPublicKey& answer, CK_OBJECT_HANDLE key);

/// The HMAC of a message, `length` bytes long: 28, 32, 48 or 64, as SHA-224, 256, 384 or 512 has it (PKCS#11
/// v2.40, Current Mechanisms §2.9 to §2.12). Throws `bad-output` for a MAC of another length.
[[nodiscard]] Bytes macOf(Session& session, CK_OBJECT_HANDLE key, size_t length, ByteView message);

/// The answers of a new key, for its record. `length`: of the key's MACs.
[[nodiscard]] KnownMac knownMacOf(Session& session, CK_OBJECT_HANDLE key, size_t length);
[[nodiscard]] KnownSignature knownSignatureOf(Session& session, CK_OBJECT_HANDLE key);

}  // namespace holdfast
