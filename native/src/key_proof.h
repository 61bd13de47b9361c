/// \file The proof that a handle stands for a material: attributes and known answer (invariant 3).
#pragma once

#include <cstdint>

#include "failure.h"
#include "material.h"
#include "operation_context.h"

namespace holdfast {

/// A handle that has proved itself in this epoch, and the cache entry that remembers it.
struct ProvenKey {
  CK_OBJECT_HANDLE handle;
  HandleCache::EntryPointer entry;
  /// `HandleEntry::revocations`, read before the handle was looked up.
  uint64_t revocations;
};

/// Takes the key from the cache, or finds it, checks it and tries the canary now. Throws `key-refused` or
/// `canary-failed` if the key fails after the HSM has worked with another key. If the HSM worked with no
/// other key, throws the HSM's own failure.
[[nodiscard]] ProvenKey provenKey(OperationContext& context, const MaterialPointer& material);

/// Tries the canary on the handle of a key just made, whose attributes were checked, and remembers the proof.
void proveNewKey(OperationContext& context, const MaterialPointer& material, CK_OBJECT_HANDLE key);

/// Throws `handle-revoked` if the handle has lost its proof: another lane saw that it is no longer this
/// key's.
void requireStillProven(const ProvenKey& key);

/// How much of the proof to repeat.
enum class Proof { kCanary, kAttributesAndCanary };

/// Whether the proof still holds on that same handle after a failure, as tested now or by another lane since.
/// If not, revokes the proof. Throws if the session or the login is lost.
[[nodiscard]] bool stillProves(OperationContext& context, const MaterialPointer& material,
                               const ProvenKey& key, Proof proof);

/// Whether the function that failed works on a key, which may then be the cause.
[[nodiscard]] bool mayBeOfKey(const Failure& failure);

/// The failure of a key that fails although the HSM works with another one.
[[nodiscard]] Failure keyFault(Failure failure);

}  // namespace holdfast
