#include <algorithm>
#include <atomic>
#include <vector>

#include "forward.h"
#include "lies.h"
#include "special.h"

namespace faulthsm {
namespace {

/// Whether searches skip the real module: a search that never began there must not continue there.
bool searchesNothing() { return device().isAwayLikeSoftHsm(); }

/// The CKA_ID of this thread's last search: each session belongs to one thread.
std::string& keyWanted() {
  static thread_local std::string key;
  return key;
}

std::string wantedKey() { return keyWanted(); }

/// How many objects this thread's search has found so far.
CK_ULONG& foundSoFar() {
  static thread_local CK_ULONG found = 0;
  return found;
}

/// Hides what a search finds beyond the most that one may find.
void limitFound(const std::optional<Decision>& decision, CK_ULONG& count) {
  if (decision && decision->action == Action::kFew) {
    const CK_ULONG most = decision->value.value_or(0);
    count = std::min(count, most - std::min(most, foundSoFar()));
  }
  foundSoFar() += count;
}

CK_RV findObjectsInit(CK_SESSION_HANDLE session, CK_ATTRIBUTE* wanted, CK_ULONG count) {
  using Forwarded = FAULT_HSM_FORWARD(C_FindObjectsInit);
  keyWanted() = keyIn(wanted, count);
  foundSoFar() = 0;
  return guarded(
      kC_FindObjectsInit, session,
      [&](const auto& decision) -> CK_RV {
        return searchesNothing() ? CKR_OK : Forwarded::forward({session, wanted, count}, decision);
      },
      wantedKey);
}

bool asks(const std::optional<Decision>& decision, Action action) {
  return decision && decision->action == action;
}

/// Finds as many handles as are asked for, none of which was ever given out.
CK_RV findForEver(CK_OBJECT_HANDLE* found, CK_ULONG most, CK_ULONG* count) {
  static std::atomic<CK_OBJECT_HANDLE> last = 0x70000000;
  for (CK_ULONG i = 0; i < most; ++i) found[i] = last.fetch_add(1);
  *count = most;
  return CKR_OK;
}

CK_RV getAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE* attributes,
                        CK_ULONG count) {
  using Forwarded = FAULT_HSM_FORWARD(C_GetAttributeValue);
  return guarded(
      kC_GetAttributeValue, session,
      [&](const auto& decision) {
        const CK_RV rv = Forwarded::forward({session, object, attributes, count}, decision);
        if (rv == CKR_OK) Lie(decision).aboutAttributes(attributes, count);
        return rv;
      },
      [&] { return keyBehind(object, session); });
}

CK_RV generateKey(CK_SESSION_HANDLE session, CK_MECHANISM* mechanism, CK_ATTRIBUTE* attributes,
                  CK_ULONG count, CK_OBJECT_HANDLE* key) {
  using Forwarded = FAULT_HSM_FORWARD(C_GenerateKey);
  static std::atomic<CK_OBJECT_HANDLE> first = CK_INVALID_HANDLE;
  return guarded(
      kC_GenerateKey, session,
      [&](const auto& decision) {
        const CK_RV rv = Forwarded::forward({session, mechanism, attributes, count, key}, decision);
        if (rv != CKR_OK) return rv;
        CK_OBJECT_HANDLE none = CK_INVALID_HANDLE;
        first.compare_exchange_strong(none, *key);
        Lie(decision).aboutHandle(*key, first);
        if (asks(decision, Action::kWrongHandle)) *key = device().objects().another(*key);
        return rv;
      },
      [&] { return keyIn(attributes, count); });
}

/// Makes a key of another value than the blob's, with the attributes that were asked for.
CK_RV makeAnother(CK_SESSION_HANDLE session, CK_ATTRIBUTE* attributes, CK_ULONG count, CK_OBJECT_HANDLE* key,
                  const std::optional<Decision>& decision) {
  using Forwarded = FAULT_HSM_FORWARD(C_GenerateKey);
  CK_ULONG length = 32;
  std::vector<CK_ATTRIBUTE> wanted(attributes, attributes + count);
  wanted.push_back({CKA_VALUE_LEN, &length, sizeof length});
  CK_MECHANISM mechanism{CKM_AES_KEY_GEN, nullptr, 0};
  return Forwarded::forward({session, &mechanism, wanted.data(), wanted.size(), key}, decision);
}

CK_RV unwrapKey(CK_SESSION_HANDLE session, CK_MECHANISM* mechanism, CK_OBJECT_HANDLE wrapping,
                unsigned char* blob, CK_ULONG blobLength, CK_ATTRIBUTE* attributes, CK_ULONG count,
                CK_OBJECT_HANDLE* key) {
  using Forwarded = FAULT_HSM_FORWARD(C_UnwrapKey);
  return guarded(
      kC_UnwrapKey, session,
      [&](const auto& decision) -> CK_RV {
        if (asks(decision, Action::kGarbage)) return makeAnother(session, attributes, count, key, decision);
        const CK_RV rv = Forwarded::forward(
            {session, mechanism, wrapping, blob, blobLength, attributes, count, key}, decision);
        if (rv != CKR_OK) return rv;
        if (asks(decision, Action::kWrongHandle)) *key = device().objects().another(*key);
        Lie(decision).aboutHandle(*key, *key);
        return rv;
      },
      [&] { return keyIn(attributes, count); });
}

CK_RV findObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE* found, CK_ULONG most, CK_ULONG* count) {
  using Forwarded = FAULT_HSM_FORWARD(C_FindObjects);
  return guarded(
      kC_FindObjects, session,
      [&](const auto& decision) -> CK_RV {
        *count = 0;
        if (searchesNothing()) return CKR_OK;
        const CK_ULONG atOnce = asks(decision, Action::kShort) ? std::min<CK_ULONG>(most, 1) : most;
        const CK_RV rv = Forwarded::forward({session, found, atOnce, count}, decision);
        if (rv != CKR_OK) return rv;
        if (asks(decision, Action::kEndless)) return findForEver(found, most, count);
        if (asks(decision, Action::kNoObjects) || device().hidesObjects(session)) *count = 0;
        limitFound(decision, *count);
        auto& objects = device().objects();
        for (CK_ULONG i = 0; i < *count; ++i) {
          found[i] = objects.shown(found[i], session, device().identifies());
          if (asks(decision, Action::kWrongHandle)) found[i] = objects.another(found[i]);
          Lie(decision).aboutHandle(found[i], found[0]);
        }
        // Adds the first handle again, as no search for one object ever does.
        if (asks(decision, Action::kRepeat) && *count > 0 && *count < most) found[(*count)++] = found[0];
        if (!asks(decision, Action::kShort)) Lie(decision).aboutLength(*count);
        return rv;
      },
      wantedKey);
}

CK_RV findObjectsFinal(CK_SESSION_HANDLE session) {
  using Forwarded = FAULT_HSM_FORWARD(C_FindObjectsFinal);
  return guarded(
      kC_FindObjectsFinal, session,
      [&](const auto& decision) -> CK_RV {
        const CK_RV rv = Forwarded::forward({session}, decision);
        return searchesNothing() ? CKR_OK : rv;
      },
      wantedKey);
}

CK_RV destroyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object) {
  using Forwarded = FAULT_HSM_FORWARD(C_DestroyObject);
  return guarded(
      kC_DestroyObject, session,
      [&](const auto& decision) {
        const CK_RV rv = Forwarded::forward({session, object}, decision);
        if (rv == CKR_OK) device().objects().destroyed(object);
        return rv;
      },
      [&] { return keyBehind(object, session); });
}

}  // namespace

void addObjectFunctions(CK_FUNCTION_LIST& list) {
  list.C_FindObjectsInit = findObjectsInit;
  list.C_FindObjects = findObjects;
  list.C_FindObjectsFinal = findObjectsFinal;
  list.C_DestroyObject = destroyObject;
  list.C_GetAttributeValue = getAttributeValue;
  list.C_GenerateKey = generateKey;
  list.C_UnwrapKey = unwrapKey;
}

}  // namespace faulthsm
