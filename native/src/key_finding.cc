#include "key_finding.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "attributes.h"
#include "gcm.h"
#include "search.h"
#include "self_test.h"

namespace holdfast {
namespace {

/// Throws `canary-failed` where the key answers wrongly, and the `rv` failure where the HSM does not answer.
void tryCanary(Workplace& workplace, const Material& material, CK_OBJECT_HANDLE key) {
  const auto failed = [](const char* detail) { return failure(FailureKind::kCanaryFailed, detail); };
  if (material.canaryCiphertext.size() < kTagLength) throw failed("the canary is shorter than its tag");
  try {
    const Secret plaintext = gcmDecrypt(workplace.session, key, material.canaryNonce,
                                        material.canaryAdditionalData, material.canaryCiphertext);
    if (std::ranges::equal(plaintext.view(), material.canaryPlaintext)) return;
  } catch (const Failure& failure) {
    // C_DecryptInit sees no ciphertext: where it fails, the HSM does.
    const bool byCiphertext = std::string_view(failure.functionName) == "C_Decrypt" &&
                              workplace.profile.maySpeakOfCiphertext(failure.rv);
    if (!byCiphertext) throw;
  }
  requireDecryption(workplace);
  throw failed("the key under this CKA_ID does not decrypt the material's canary");
}

/// Where the probe in flight hangs, its entry is left to it, so that later operations do not wait behind it
/// too.
void requireProbe(Workplace& workplace, const Material& material, const HandleCache::EntryPointer& entry,
                  bool passed) {
  if (!passed) workplace.cache.drop(material.id, entry);
  requireTime(workplace, passed);
}

void prove(Workplace& workplace, const Material& material, CK_OBJECT_HANDLE handle) {
  checkAttributes(workplace, handle, {material.id, material.label, material.extractable});
  tryCanary(workplace, material, handle);
}

/// False where the handle does not stand for the material, or no longer: only a find can tell what is there
/// now.
bool provesSeen(Workplace& workplace, const Material& material, CK_OBJECT_HANDLE handle) {
  try {
    prove(workplace, material, handle);
    return true;
  } catch (const Failure& failure) {
    const bool mayBeStale = failure.kind == FailureKind::kMaterialMismatch ||
                            failure.kind == FailureKind::kCanaryFailed ||
                            (failure.kind == FailureKind::kRv && speaksOfHandle(failure.rv));
    if (!mayBeStale) throw;
    return false;
  }
}

/// The whole proof of design invariant 3. That exactly one object has the id says the inventory of this
/// epoch, or else a find, which goes through the whole token on some HSMs (SoftHSM: 69 ms at 3,000 keys).
CK_OBJECT_HANDLE findAndProve(Workplace& workplace, const Material& material, const HandleEntry& entry) {
  const auto seen = entry.seenHandle();
  if (seen && provesSeen(workplace, material, *seen)) return *seen;
  const CK_OBJECT_HANDLE handle = findOneSecretKey(workplace, material.id);
  prove(workplace, material, handle);
  return handle;
}

}  // namespace

std::vector<CK_OBJECT_HANDLE> findSecretKeys(Workplace& workplace, const Bytes& id, size_t most) {
  CK_OBJECT_CLASS secretKey = CKO_SECRET_KEY;
  std::array<CK_ATTRIBUTE, 2> wanted{
      {{CKA_CLASS, &secretKey, sizeof secretKey}, {CKA_ID, pointerFor(id), id.size()}}};
  Search search(workplace.session, wanted.data(), wanted.size());
  std::vector<CK_OBJECT_HANDLE> handles;
  for (auto more = search.next(most); !more.empty(); more = search.next(most - handles.size())) {
    handles.insert(handles.end(), more.begin(), more.end());
    if (handles.size() == most) break;
    requireTimeLeft(workplace);
  }
  return handles;
}

std::vector<CK_OBJECT_HANDLE> findSecretKeysInTurn(Workplace& workplace, const Bytes& id, size_t most) {
  const auto passage = enterShared(workplace, workplace.token.objects());
  requireTime(workplace, bool(passage));
  return findSecretKeys(workplace, id, most);
}

void requireFound(Workplace& workplace, const Bytes& id, CK_OBJECT_HANDLE handle) {
  const auto read = readSummary(workplace.session, handle);
  if (!read || (read->objectClass == CKO_SECRET_KEY && read->id == id)) return;
  throw badOutput("C_FindObjects", "an object that was not searched for");
}

CK_OBJECT_HANDLE findOneSecretKey(Workplace& workplace, const Bytes& id) {
  const auto handles = findSecretKeysInTurn(workplace, id, 2);
  if (handles.empty()) {
    workplace.token.proveAlive(workplace.session);
    throw failure(FailureKind::kMaterialMissing, "the token has no secret key with this CKA_ID");
  }
  for (const CK_OBJECT_HANDLE handle : handles) requireFound(workplace, id, handle);
  if (handles.size() > 1) {
    // Throws where there is no such object: a handle alone is no second key.
    for (const CK_OBJECT_HANDLE handle : handles)
      static_cast<void>(readKeyAttributes(workplace.session, handle));
    throw failure(FailureKind::kMaterialAmbiguous, "more than one secret key has this CKA_ID");
  }
  return handles.front();
}

void checkAttributes(Workplace& workplace, CK_OBJECT_HANDLE key, const ExpectedKey& expected) {
  const auto read = readKeyAttributes(workplace.session, key);
  const auto require = [](bool holds, const char* what) {
    if (!holds) throw failure(FailureKind::kMaterialMismatch, what);
  };
  require(read.objectClass == CKO_SECRET_KEY, "CKA_CLASS is not a secret key's");
  require(read.id == expected.id, "CKA_ID is another");
  require(read.label == expected.label, "CKA_LABEL is another");
  require(read.keyType == CKK_AES, "CKA_KEY_TYPE is not AES");
  // Not every token says the length of every key (SoftHSM 2.6.1 says 0 after an unwrapping).
  require(read.valueLength.value_or(0) == 0 || read.valueLength == 32, "CKA_VALUE_LEN is not 32");
  // A session object is gone with its session.
  require(read.isToken, "CKA_TOKEN is not true");
  require(read.sensitive, "CKA_SENSITIVE is not true");
  require(read.extractable == expected.extractable, "CKA_EXTRACTABLE is not as recorded");
  require(read.neverExtractable == !expected.extractable, "CKA_NEVER_EXTRACTABLE is not as recorded");
  require(read.encrypt && read.decrypt, "CKA_ENCRYPT and CKA_DECRYPT are not both true");
}

void proveNewKey(Workplace& workplace, const MaterialPointer& material, CK_OBJECT_HANDLE key) {
  const auto begun = Clock::now();
  tryCanary(workplace, *material, key);
  workplace.cache.entry(material->id)->recordProof(key, material, begun);
}

ProvenKey provenKey(Workplace& workplace, const MaterialPointer& material) {
  auto entry = workplace.cache.entry(material->id);
  uint64_t revocations = entry->revocations();
  const auto proven = [&](CK_OBJECT_HANDLE handle) {
    return ProvenKey{handle, std::move(entry), revocations};
  };
  if (const auto known = entry->provenHandle(material)) return proven(*known);
  const auto passage = enterExclusive(workplace, entry->probe());
  requireProbe(workplace, *material, entry, bool(passage));
  revocations = entry->revocations();
  if (const auto known = entry->provenHandle(material)) return proven(*known);
  try {
    const auto begun = Clock::now();
    const CK_OBJECT_HANDLE handle = findAndProve(workplace, *material, *entry);
    entry->recordProof(handle, material, begun);
    return proven(handle);
  } catch (const Failure&) {
    // Ids that are not there must not fill the cache.
    workplace.cache.drop(material->id, entry);
    throw;
  }
}

void requireStillProven(const ProvenKey& key) {
  if (key.entry->revocations() == key.revocations) return;
  throw failure(FailureKind::kHandleRevoked, "the key's handle lost its proof while it was in use");
}

void confirmCanary(Workplace& workplace, const MaterialPointer& material, const ProvenKey& key) {
  const auto since = Clock::now();
  if (key.entry->canarySucceededSince(since)) return;
  const auto passage = enterExclusive(workplace, key.entry->probe());
  requireProbe(workplace, *material, key.entry, bool(passage));
  if (key.entry->canarySucceededSince(since)) return;
  const auto begun = Clock::now();
  try {
    tryCanary(workplace, *material, key.handle);
  } catch (const Failure&) {
    key.entry->revokeProof();
    throw;
  }
  key.entry->recordCanarySuccess(begun);
}

}  // namespace holdfast
