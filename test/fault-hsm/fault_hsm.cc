/// \file A PKCS#11 module that forwards every function to a real one and does wrong what a control file says:
/// it stands for HSMs that hang, fail or lock a PIN, which SoftHSM never does.
///
/// Environment, read at C_Initialize: HOLDFAST_FAULT_MODULE (the real library), HOLDFAST_FAULT_CONTROL (the
/// control file, see fault_control.h), HOLDFAST_FAULT_LOG (one line for each call, optional).
#include <string_view>

#include "fault_control.h"
#include "real_module.h"

namespace {

FaultControl& control() {
  static FaultControl instance;
  return instance;
}

/// These end the session's operation also where they fail (PKCS#11 v2.40 §5.8.2, §5.9.2), so they are
/// forwarded even where the answer is told.
bool endsOperation(std::string_view name) { return name == "C_Encrypt" || name == "C_Decrypt"; }

/// The wrapper of one function of the list; its parameters come from the list's member.
template <auto Member, typename Function>
struct Forward;

template <auto Member, typename... Parameters>
struct Forward<Member, CK_RV (*)(Parameters...)> {
  static inline const char* name = "";

  static CK_RV call(Parameters... parameters) {
    const auto answer = control().before(name);
    if (answer && !endsOperation(name)) return *answer;
    CK_FUNCTION_LIST* const real = loadRealModule();
    const CK_RV rv = real == nullptr ? CKR_CRYPTOKI_NOT_INITIALIZED : (real->*Member)(parameters...);
    return answer.value_or(rv);
  }
};

CK_RV initialize(void* arguments) {
  control().readEnvironment();
  if (const auto answer = control().before("C_Initialize")) return *answer;
  CK_FUNCTION_LIST* const real = loadRealModule();
  return real == nullptr ? CKR_LIBRARY_LOAD_FAILED : real->C_Initialize(arguments);
}

CK_RV getTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO* info) {
  const CK_RV rv = Forward<&CK_FUNCTION_LIST::C_GetTokenInfo, CK_C_GetTokenInfo>::call(slot, info);
  if (rv == CKR_OK) info->flags |= control().addedTokenFlags();
  return rv;
}

template <auto Member, typename Function>
void wrap(CK_FUNCTION_LIST& list, Function CK_FUNCTION_LIST::*, const char* name) {
  using Wrapper = Forward<Member, Function>;
  Wrapper::name = name;
  list.*Member = Wrapper::call;
}

#define WRAP(name) wrap<&CK_FUNCTION_LIST::name>(list, &CK_FUNCTION_LIST::name, #name)

CK_FUNCTION_LIST makeList() {
  CK_FUNCTION_LIST list{};
  list.version = {2, 40};
  list.C_Initialize = initialize;
  list.C_GetFunctionList = C_GetFunctionList;
  WRAP(C_Finalize);
  WRAP(C_GetInfo);
  WRAP(C_GetSlotList);
  WRAP(C_GetSlotInfo);
  WRAP(C_GetTokenInfo);
  WRAP(C_GetMechanismList);
  WRAP(C_GetMechanismInfo);
  WRAP(C_InitToken);
  WRAP(C_InitPIN);
  WRAP(C_SetPIN);
  WRAP(C_OpenSession);
  WRAP(C_CloseSession);
  WRAP(C_CloseAllSessions);
  WRAP(C_GetSessionInfo);
  WRAP(C_GetOperationState);
  WRAP(C_SetOperationState);
  WRAP(C_Login);
  WRAP(C_Logout);
  WRAP(C_CreateObject);
  WRAP(C_CopyObject);
  WRAP(C_DestroyObject);
  WRAP(C_GetObjectSize);
  WRAP(C_GetAttributeValue);
  WRAP(C_SetAttributeValue);
  WRAP(C_FindObjectsInit);
  WRAP(C_FindObjects);
  WRAP(C_FindObjectsFinal);
  WRAP(C_EncryptInit);
  WRAP(C_Encrypt);
  WRAP(C_EncryptUpdate);
  WRAP(C_EncryptFinal);
  WRAP(C_DecryptInit);
  WRAP(C_Decrypt);
  WRAP(C_DecryptUpdate);
  WRAP(C_DecryptFinal);
  WRAP(C_DigestInit);
  WRAP(C_Digest);
  WRAP(C_DigestUpdate);
  WRAP(C_DigestKey);
  WRAP(C_DigestFinal);
  WRAP(C_SignInit);
  WRAP(C_Sign);
  WRAP(C_SignUpdate);
  WRAP(C_SignFinal);
  WRAP(C_SignRecoverInit);
  WRAP(C_SignRecover);
  WRAP(C_VerifyInit);
  WRAP(C_Verify);
  WRAP(C_VerifyUpdate);
  WRAP(C_VerifyFinal);
  WRAP(C_VerifyRecoverInit);
  WRAP(C_VerifyRecover);
  WRAP(C_DigestEncryptUpdate);
  WRAP(C_DecryptDigestUpdate);
  WRAP(C_SignEncryptUpdate);
  WRAP(C_DecryptVerifyUpdate);
  WRAP(C_GenerateKey);
  WRAP(C_GenerateKeyPair);
  WRAP(C_WrapKey);
  WRAP(C_UnwrapKey);
  WRAP(C_DeriveKey);
  WRAP(C_SeedRandom);
  WRAP(C_GenerateRandom);
  WRAP(C_GetFunctionStatus);
  WRAP(C_CancelFunction);
  WRAP(C_WaitForSlotEvent);
  list.C_GetTokenInfo = getTokenInfo;
  return list;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
  static CK_FUNCTION_LIST functions = makeList();
  *list = &functions;
  return CKR_OK;
}
