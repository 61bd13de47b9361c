/// \file How a key proves which material it is: each kind of known answer and its operations (invariant 3).
///
/// Each function has an overload for every alternative of `KnownAnswer`. A new kind does not compile
/// until it has all of them, and no other code knows the kinds.
#pragma once

#include "attributes.h"
#include "material.h"
#include "operation_context.h"

namespace holdfast {

/// Throws `material-mismatch` with `what` unless it holds.
void requireAttribute(bool holds, const char* what);

/// Throws `material-mismatch` unless a key with these attributes can give such an answer.
void requireKindOf(const KnownAnswer& answer, const KeyAttributes& read);

/// Throws the failure of a key that does not give the answer: `canary-failed`, or what the token says.
void tryKnownAnswer(OperationContext& context, const KnownAnswer& answer, CK_OBJECT_HANDLE key);

/// `tryKnownAnswer`, and before it, once in an epoch, forgeries of the answer. Throws `self-test-failed` if
/// the HSM takes one: it can be trusted with none. A refusal, whatever its code, counts because the true
/// answer is given after it: an HSM that is gone refuses too.
void tryKnownAnswerAndForgeries(OperationContext& context, const KnownAnswer& answer, CK_OBJECT_HANDLE key);

}  // namespace holdfast
