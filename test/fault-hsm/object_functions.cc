#include "forward.h"
#include "special.h"

namespace faulthsm {
namespace {

/// Searches that never reached the real module must not be asked of it.
bool searchesNothing() { return device().isAwayLikeSoftHsm(); }

CK_RV findObjectsInit(CK_SESSION_HANDLE session, CK_ATTRIBUTE* wanted, CK_ULONG count) {
  using Forwarded = FAULT_HSM_FORWARD(C_FindObjectsInit);
  return guarded(kC_FindObjectsInit, session, [&](const auto& decision) -> CK_RV {
    return searchesNothing() ? CKR_OK : Forwarded::forward({session, wanted, count}, decision);
  });
}

bool asks(const std::optional<Decision>& decision, Action action) {
  return decision && decision->action == action;
}

CK_RV findObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE* found, CK_ULONG most, CK_ULONG* count) {
  using Forwarded = FAULT_HSM_FORWARD(C_FindObjects);
  return guarded(kC_FindObjects, session, [&](const auto& decision) -> CK_RV {
    *count = 0;
    if (searchesNothing()) return CKR_OK;
    const CK_RV rv = Forwarded::forward({session, found, most, count}, decision);
    if (rv != CKR_OK) return rv;
    if (asks(decision, Action::kNoObjects) || device().hidesObjects(session)) *count = 0;
    auto& objects = device().objects();
    for (CK_ULONG i = 0; i < *count; ++i) {
      found[i] = objects.shown(found[i], session, device().identifies());
      if (asks(decision, Action::kWrongHandle)) found[i] = objects.another(found[i]);
    }
    return rv;
  });
}

CK_RV findObjectsFinal(CK_SESSION_HANDLE session) {
  using Forwarded = FAULT_HSM_FORWARD(C_FindObjectsFinal);
  return guarded(kC_FindObjectsFinal, session, [&](const auto& decision) -> CK_RV {
    const CK_RV rv = Forwarded::forward({session}, decision);
    return searchesNothing() ? CKR_OK : rv;
  });
}

CK_RV destroyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object) {
  using Forwarded = FAULT_HSM_FORWARD(C_DestroyObject);
  return guarded(kC_DestroyObject, session, [&](const auto& decision) {
    const CK_RV rv = Forwarded::forward({session, object}, decision);
    if (rv == CKR_OK) device().objects().destroyed(object);
    return rv;
  });
}

}  // namespace

void addObjectFunctions(CK_FUNCTION_LIST& list) {
  list.C_FindObjectsInit = findObjectsInit;
  list.C_FindObjects = findObjects;
  list.C_FindObjectsFinal = findObjectsFinal;
  list.C_DestroyObject = destroyObject;
}

}  // namespace faulthsm
