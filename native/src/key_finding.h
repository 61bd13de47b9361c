/// \file From a material to a handle that may be used (design invariants 3, 4, 5; PKCS#11 v2.40 §5.7).
#pragma once

#include <vector>

#include "failure.h"
#include "material.h"
#include "return_values.h"
#include "workplace.h"

namespace holdfast {

/// At most `most` secret keys with this CKA_ID. The caller holds a passage of `token.objects()`.
std::vector<CK_OBJECT_HANDLE> findSecretKeys(Workplace& workplace, const Bytes& id, size_t most);

/// The same after waiting for whoever makes or destroys objects.
std::vector<CK_OBJECT_HANDLE> findSecretKeysInTurn(Workplace& workplace, const Bytes& id, size_t most);

/// Throws `bad-output` where the object can be read and is none that a search for this CKA_ID may give: what
/// a search gives is used, and destroyed, by its word. One that cannot be read may be half-made.
void requireFound(Workplace& workplace, const Bytes& id, CK_OBJECT_HANDLE handle);

/// The one secret key with this CKA_ID: `material-ambiguous` where there are more, `material-missing` where
/// the token is alive and has none.
CK_OBJECT_HANDLE findOneSecretKey(Workplace& workplace, const Bytes& id);

/// What the catalog says of a key.
struct ExpectedKey {
  const Bytes& id;
  const std::string& label;
  bool extractable;
};

/// `material-mismatch` unless the object is the AES key that the catalog describes.
void checkAttributes(Workplace& workplace, CK_OBJECT_HANDLE key, const ExpectedKey& expected);

/// Tries the canary on the handle of a key just made, whose attributes were checked, and remembers the proof.
void proveNewKey(Workplace& workplace, const MaterialPointer& material, CK_OBJECT_HANDLE key);

/// A handle that has proved itself in this epoch, and where that is remembered.
struct ProvenKey {
  CK_OBJECT_HANDLE handle;
  HandleCache::EntryPointer entry;
  /// `HandleEntry::revocations`, from before the handle was looked up.
  uint64_t revocations;
};

/// `handle-revoked` where the handle lost its proof since: another lane saw that it is no longer this key's.
void requireStillProven(const ProvenKey& key);

/// From the cache, or found, checked and tried on the canary now.
ProvenKey provenKey(Workplace& workplace, const MaterialPointer& material);

/// After a decryption that failed: tries the canary on the proven handle, unless another lane does so by now.
/// A try that began earlier says nothing of an HSM that may have fallen ill since. Throws `canary-failed`, or
/// `self-test-failed` where nothing decrypts.
void confirmCanary(Workplace& workplace, const MaterialPointer& material, const ProvenKey& key);

/// Runs `use(key)`; where the token no longer knows the handle, proves the material again and runs it once
/// more, unless the first run may have encrypted: then the cluster may.
template <typename Use>
auto withProvenKey(Workplace& workplace, const MaterialPointer& material, const Use& use) {
  const auto key = provenKey(workplace, material);
  try {
    return use(key);
  } catch (const Failure& failure) {
    if (failure.kind != FailureKind::kRv || !speaksOfHandle(failure.rv)) throw;
    key.entry->revokeProof();
    workplace.cache.drop(material->id, key.entry);
    if (mayHaveEncrypted(failure)) throw;
  }
  return use(provenKey(workplace, material));
}

}  // namespace holdfast
