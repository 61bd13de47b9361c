/// \file Whether a token's searches find what it has (invariant 4). One that wrongly finds nothing would have
/// a key copied a second time, which makes both unusable, or its destruction reported although it still
/// exists.
#pragma once

#include <vector>

#include "attributes.h"
#include "handle_cache.h"
#include "operation_context.h"

namespace holdfast {

/// Throws unless it can be believed that a search found no object with this identity: the token still
/// answers, has nothing under the handle that the key had, and finds another key that it has (`bad-output`).
/// If no key is known, nothing is known of its searches. The caller holds a lock of `token.objects()`.
void requireNothingFound(OperationContext& context, const ObjectIdentity& wanted);

/// Throws `bad-output` if the handle still reads as this key, which no search finds.
void requireNoLonger(OperationContext& context, const ObjectIdentity& wanted, CK_OBJECT_HANDLE handle);

/// Throws `bad-output` if the list of all objects lacks a key that was known before, and that the token still
/// has.
void requireListed(OperationContext& context, const std::vector<SeenKey>& known,
                   const std::vector<ObjectSummary>& listed);

}  // namespace holdfast
