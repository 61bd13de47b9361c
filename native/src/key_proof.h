/// \file The proof that a handle stands for a material: attributes and known answer (invariant 3).
#pragma once

#include <cstdint>

#include "failure.h"
#include "material.h"
#include "operation_context.h"

namespace holdfast {

/// A handle that has proved itself in this epoch, and where that is remembered.
struct ProvenKey {
  CK_OBJECT_HANDLE handle;
  HandleCache::EntryPointer entry;
  /// `HandleEntry::revocations`, from before the handle was looked up.
  uint64_t revocations;
};

/// From the cache, or found, checked and tried on the canary now. Throws `key-refused` or `canary-failed` if
/// the key fails after the HSM has worked with another one, and what the HSM answers if it does not.
[[nodiscard]] ProvenKey provenKey(OperationContext& context, const MaterialPointer& material);

/// Tries the canary on the handle of a key just made, whose attributes were checked, and remembers the proof.
void proveNewKey(OperationContext& context, const MaterialPointer& material, CK_OBJECT_HANDLE key);

/// `handle-revoked` if the handle lost its proof since: another lane saw that it is no longer this key's.
void requireStillProven(const ProvenKey& key);

/// How much of the proof is made once more.
enum class Proof { kCanary, kAttributesAndCanary };

/// After something failed with a proven key: whether its proof holds on that same handle, asked now or by
/// another lane since. If not, the proof is revoked. Throws if the session or the login is lost.
[[nodiscard]] bool stillProves(OperationContext& context, const MaterialPointer& material,
                               const ProvenKey& key, Proof proof);

/// Whether a function that works on a key failed, so that the key may be why.
[[nodiscard]] bool mayBeOfKey(const Failure& failure);

/// The failure of a key that fails although the HSM works with another one.
[[nodiscard]] Failure keyFault(Failure failure);

}  // namespace holdfast
