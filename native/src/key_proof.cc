#include "key_proof.h"

#include <algorithm>
#include <utility>

#include "key_finding.h"
#include "known_answer.h"
#include "other_keys.h"
#include "return_values.h"

namespace holdfast {
namespace {

/// Whether the canary did not decrypt, however the token reports it.
bool isOfCanary(const Failure& failure) {
  return failure.kind == FailureKind::kCanaryFailed || traitsOf(failure.function).judgesInput;
}

void prove(OperationContext& context, const Material& material, CK_OBJECT_HANDLE handle, Proof proof) {
  if (proof == Proof::kAttributesAndCanary) checkAttributes(context, handle, material);
  tryKnownAnswerAndForgeries(context, material.knownAnswer, handle);
}

void proveAll(OperationContext& context, const Material& material, CK_OBJECT_HANDLE handle) {
  prove(context, material, handle, Proof::kAttributesAndCanary);
}

/// If the probe in progress hangs, it keeps its entry and the key gets a new one. Later operations then do
/// not wait for it.
void requireProbe(OperationContext& context, const Material& material, const HandleCache::EntryPointer& entry,
                  bool passed) {
  if (!passed) context.cache.drop(material.identity, entry);
  requireTime(context, passed);
}

/// Throws the verdict on a first failure unless another key worked after it.
void requireOtherKeysAfter(OperationContext& context, const Material& material, const Failure& failure) {
  if (!mayBeOfKey(failure) || failure.kind == FailureKind::kMaterialMismatch) throw Failure(failure);
  if (otherKeysWork(context, material.identity, Direction::kDecrypt))
    return requireLookUpOfOthers(context, material.identity, failure);
  // Nothing is known of the HSM. A wrong key under the handle is likelier than an HSM that decrypts nothing.
  throw isOfCanary(failure) ? keyFault(failure) : failure;
}

/// A failing search is not the HSM's fault if the HSM works with other keys.
[[nodiscard]] CK_OBJECT_HANDLE findKey(OperationContext& context, const Material& material,
                                       HandleEntry& entry) {
  const auto find = [&] { return findOneObject(context, material.identity); };
  const auto isOfSearch = [](const Failure& failure) {
    return failure.kind == FailureKind::kRv && traitsOf(failure.function).searches;
  };
  try {
    return find();
  } catch (const Failure& failure) {
    if (failure.kind != FailureKind::kRv && failure.kind != FailureKind::kBadOutput) entry.forgetCandidate();
    // Reading the object that was found may have failed, too.
    if (!isOfSearch(failure) && !mayBeOfKey(failure)) throw;
    if (!otherKeysWork(context, material.identity, Direction::kDecrypt)) throw;
    requireLookUpOfOthers(context, material.identity, failure);
  }
  try {
    return find();
  } catch (Failure& failure) {
    if (mayBeOfKey(failure)) throw keyFault(failure);
    failure.hsmCleared = isOfSearch(failure);
    throw;
  }
}

/// How often in a row a handle that was just found may be stale before its key is blamed.
constexpr int kMaxStaleHandles = 2;

/// Whether there is no object with the handle any more. This does not show that the key is gone: it may have
/// another handle by now.
bool isOfStaleHandle(const Failure& failure) {
  return failure.kind == FailureKind::kRv && returnValue(failure.rv).objectLost;
}

/// Proves the handle, or the one that the key has instead, and returns it.
[[nodiscard]] CK_OBJECT_HANDLE proveWhereItIs(OperationContext& context, const Material& material,
                                              CK_OBJECT_HANDLE handle, HandleEntry& entry) {
  for (int staleHandles = 0;; ++staleHandles) {
    try {
      proveAll(context, material, handle);
      return handle;
    } catch (const Failure& failure) {
      if (!isOfStaleHandle(failure) || staleHandles == kMaxStaleHandles) throw;
    }
    handle = findKey(context, material, entry);
    entry.recordSeen(handle);
  }
}

/// A key counts as refused only if it fails again after another one worked: the HSM may have been ill and
/// recovered in between.
[[nodiscard]] CK_OBJECT_HANDLE proveOrBlame(OperationContext& context, const Material& material,
                                            CK_OBJECT_HANDLE handle, HandleEntry& entry) {
  try {
    return proveWhereItIs(context, material, handle, entry);
  } catch (const Failure& failure) {
    requireOtherKeysAfter(context, material, failure);
  }
  try {
    return proveWhereItIs(context, material, handle, entry);
  } catch (const Failure& failure) {
    if (!mayBeOfKey(failure)) throw;
    entry.recordRefusal(Clock::now());
    throw keyFault(failure);
  }
}

/// The whole proof of invariant 3. That only one object has the id is known from the inventory of this epoch,
/// or else from a find, which searches the whole token on some HSMs (SoftHSM: 69 ms at 3,000 keys).
[[nodiscard]] CK_OBJECT_HANDLE findAndProve(OperationContext& context, const Material& material,
                                            HandleEntry& entry) {
  if (const auto candidate = entry.candidate()) {
    try {
      proveAll(context, material, *candidate);
      return *candidate;
    } catch (const Failure& failure) {
      if (!mayBeOfKey(failure)) throw;
      requireSession(context);
      if (entry.wasRefusedLately()) throw keyFault(failure);
      // The handle may be stale: only a find shows what is there now.
    }
  }
  const CK_OBJECT_HANDLE handle = findKey(context, material, entry);
  entry.recordSeen(handle);
  return proveOrBlame(context, material, handle, entry);
}

}  // namespace

bool mayBeOfKey(const Failure& failure) {
  if (failure.kind == FailureKind::kMaterialMismatch || failure.kind == FailureKind::kCanaryFailed)
    return true;
  if (failure.kind != FailureKind::kRv || failure.callerFault) return false;
  return traitsOf(failure.function).usesKey;
}

Failure keyFault(Failure failure) {
  if (failure.kind == FailureKind::kMaterialMismatch) return failure;
  if (isOfCanary(failure)) {
    failure.kind = FailureKind::kCanaryFailed;
    failure.detail = "the key under this CKA_ID does not give the material's known answer";
  } else {
    failure.kind = FailureKind::kKeyRefused;
    failure.detail = "the HSM works with other keys";
  }
  return failure;
}

ProvenKey provenKey(OperationContext& context, const MaterialPointer& material) {
  auto entry = context.cache.entry(material->identity);
  uint64_t revocations = entry->revocations();
  const auto proven = [&](CK_OBJECT_HANDLE handle) {
    return ProvenKey{handle, std::move(entry), revocations};
  };
  if (const auto known = entry->provenHandle(material)) return proven(*known);
  const auto lock = lockExclusive(context, entry->probe());
  requireProbe(context, *material, entry, bool(lock));
  revocations = entry->revocations();
  if (const auto known = entry->provenHandle(material)) return proven(*known);
  try {
    const auto begun = Clock::now();
    const CK_OBJECT_HANDLE handle = findAndProve(context, *material, *entry);
    entry->recordProof(handle, material, begun);
    return proven(handle);
  } catch (const Failure&) {
    // Ids that the token does not have must not fill the cache.
    if (!entry->candidate()) context.cache.drop(material->identity, entry);
    throw;
  }
}

void proveNewKey(OperationContext& context, const MaterialPointer& material, CK_OBJECT_HANDLE key) {
  const auto begun = Clock::now();
  tryKnownAnswerAndForgeries(context, material->knownAnswer, key);
  context.cache.entry(material->identity)->recordProof(key, material, begun);
}

void requireStillProven(const ProvenKey& key) {
  if (key.entry->revocations() == key.revocations) return;
  throw failure(FailureKind::kHandleRevoked, "the key's handle lost its proof while it was in use");
}

bool stillProves(OperationContext& context, const MaterialPointer& material, const ProvenKey& key,
                 Proof proof) {
  const auto since = Clock::now();
  const auto lock = lockExclusive(context, key.entry->probe());
  requireProbe(context, *material, key.entry, bool(lock));
  if (key.entry->canarySucceededSince(since)) return true;
  const auto begun = Clock::now();
  try {
    prove(context, *material, key.handle, proof);
  } catch (const Failure& failure) {
    if (!mayBeOfKey(failure)) throw;
    requireSession(context);
    key.entry->revokeProof();
    return false;
  }
  key.entry->recordCanarySuccess(begun);
  return true;
}

}  // namespace holdfast
