#include <atomic>

#include "forward.h"
#include "lies.h"
#include "special.h"

namespace faulthsm {
namespace {

CK_RV initialize(void* arguments) {
  instance().readEnvironment();
  const bool loaded = chooseRealModule();
  return guarded(kC_Initialize, 0, [&](const auto&) -> CK_RV {
    if (!loaded) return CKR_LIBRARY_LOAD_FAILED;
    if (const auto refused = device().start()) return *refused;
    const CK_RV rv = loadRealModule()->C_Initialize(arguments);
    if (rv == CKR_OK) device().started();
    return rv;
  });
}

CK_RV finalize(void* reserved) {
  return guarded(kC_Finalize, 0, [&](const auto&) -> CK_RV {
    CK_FUNCTION_LIST* const real = loadRealModule();
    if (real == nullptr) return CKR_CRYPTOKI_NOT_INITIALIZED;
    const bool pretends = device().pretendsNotInitialized();
    const CK_RV rv = real->C_Finalize(reserved);
    if (rv == CKR_OK) device().stopped();
    return pretends ? CKR_CRYPTOKI_NOT_INITIALIZED : rv;
  });
}

CK_RV openSession(CK_SLOT_ID slot, CK_FLAGS flags, void* application, CK_NOTIFY notify,
                  CK_SESSION_HANDLE* session) {
  using Forwarded = FAULT_HSM_FORWARD(C_OpenSession);
  static std::atomic<CK_SESSION_HANDLE> first = CK_INVALID_HANDLE;
  return guarded(kC_OpenSession, slot, [&](const auto& decision) -> CK_RV {
    const bool readWrite = (flags & CKF_RW_SESSION) != 0;
    if (!device().sessions().reserve(readWrite)) return CKR_SESSION_COUNT;
    const CK_RV rv = Forwarded::forward({slot, flags, application, notify, session}, decision);
    if (rv != CKR_OK) {
      device().sessions().cancel(readWrite);
    } else {
      device().sessions().opened(*session, device().realSlot(slot), readWrite);
      CK_SESSION_HANDLE none = CK_INVALID_HANDLE;
      first.compare_exchange_strong(none, *session);
      Lie(decision).aboutHandle(*session, first);
    }
    return rv;
  });
}

CK_RV closeSession(CK_SESSION_HANDLE session) {
  using Forwarded = FAULT_HSM_FORWARD(C_CloseSession);
  return guarded(kC_CloseSession, session, [&](const auto& decision) {
    const CK_RV rv = Forwarded::forward({session}, decision);
    device().sessionClosed(session);
    return rv;
  });
}

CK_RV closeAllSessions(CK_SLOT_ID slot) {
  using Forwarded = FAULT_HSM_FORWARD(C_CloseAllSessions);
  return guarded(kC_CloseAllSessions, slot, [&](const auto& decision) {
    const CK_RV rv = Forwarded::forward({slot}, decision);
    device().sessions().allClosed(device().realSlot(slot));
    device().loggedOut(device().realSlot(slot));
    return rv;
  });
}

CK_RV getSessionInfo(CK_SESSION_HANDLE session, CK_SESSION_INFO* info) {
  using Forwarded = FAULT_HSM_FORWARD(C_GetSessionInfo);
  return guarded(kC_GetSessionInfo, session, [&](const auto& decision) {
    const CK_RV rv = Forwarded::forward({session, info}, decision);
    if (rv == CKR_OK) device().describe(session, *info);
    Lie(decision).aboutBytes(info, sizeof *info);
    if (Lie(decision).is(Action::kFlip)) info->slotID ^= 1;
    return rv;
  });
}

CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, unsigned char* pin, CK_ULONG length) {
  using Forwarded = FAULT_HSM_FORWARD(C_Login);
  return guarded(kC_Login, session, [&](const auto& decision) -> CK_RV {
    if (user != CKU_USER) return Forwarded::forward({session, user, pin, length}, decision);
    const std::string given(reinterpret_cast<const char*>(pin), pin == nullptr ? 0 : length);
    if (const auto answer = device().refuseLogin(session, given)) return *answer;
    const CK_RV rv = Forwarded::forward({session, user, pin, length}, decision);
    device().loggedIn(session, given, rv);
    return rv;
  });
}

CK_RV logout(CK_SESSION_HANDLE session) {
  using Forwarded = FAULT_HSM_FORWARD(C_Logout);
  return guarded(kC_Logout, session, [&](const auto& decision) {
    const CK_RV rv = Forwarded::forward({session}, decision);
    const auto slot = device().sessions().slotOf(session);
    if (rv == CKR_OK && slot) device().loggedOut(*slot);
    return rv;
  });
}

CK_RV initPin(CK_SESSION_HANDLE session, unsigned char* pin, CK_ULONG length) {
  using Forwarded = FAULT_HSM_FORWARD(C_InitPIN);
  return guarded(kC_InitPIN, session, [&](const auto& decision) {
    const CK_RV rv = Forwarded::forward({session, pin, length}, decision);
    // This is how the security officer unlocks the PIN.
    if (rv == CKR_OK) instance().set(kWrongPins, 0);
    return rv;
  });
}

}  // namespace

void addLifeFunctions(CK_FUNCTION_LIST& list) {
  list.C_Initialize = initialize;
  list.C_Finalize = finalize;
  list.C_OpenSession = openSession;
  list.C_CloseSession = closeSession;
  list.C_CloseAllSessions = closeAllSessions;
  list.C_GetSessionInfo = getSessionInfo;
  list.C_Login = login;
  list.C_Logout = logout;
  list.C_InitPIN = initPin;
}

}  // namespace faulthsm
