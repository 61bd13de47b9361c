/// \file How a key proves which material it is: each kind of known answer and its operations (invariant 3).
///
/// Each function has an overload for every alternative of `KnownAnswer`. A new kind does not compile
/// until it has all of them, and no other code knows the kinds.
#pragma once

#include "attributes.h"
#include "key_kinds.h"
#include "material.h"
#include "operation_context.h"

namespace holdfast {

/// Throws `material-mismatch` with `what` unless `holds`.
void requireAttribute(bool holds, const char* what);

/// The kind of the keys that give such an answer.
[[nodiscard]] const KeyKind& kindOf(const KnownAnswer& answer);

/// Throws `material-mismatch` unless a key with these attributes is of that kind.
void requireKindOf(const KnownAnswer& answer, const KeyAttributes& read);

/// Throws the failure of a key that does not give the answer: `canary-failed`, or what the token says.
void tryKnownAnswer(OperationContext& context, const KnownAnswer& answer, CK_OBJECT_HANDLE key);

/// Tries forgeries of such answers, once in an epoch, and then the answer itself. Throws `self-test-failed`
/// if the HSM accepts a forgery: no answer of such an HSM can be trusted. A refusal counts, whatever its
/// code, only because the true answer works after it: an HSM that is gone refuses too.
void tryKnownAnswerAndForgeries(OperationContext& context, const KnownAnswer& answer, CK_OBJECT_HANDLE key);

}  // namespace holdfast
