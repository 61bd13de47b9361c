/// \file A PKCS#11 module without tokens. HOLDFAST_ODD says how it misbehaves: `load-exit`,
/// `load-abort`, `load-crash`, `load-hang`, the same for `list-` (in C_GetFunctionList), `list-null`,
/// `list-error`, and `initialize-exit`. HOLDFAST_SEEN is read at loading, in C_GetFunctionList and in
/// C_Initialize, which answers CKR_ARGUMENTS_BAD unless the value was the same each time.
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>

#define CRYPTOKI_COMPAT 1
#include "pkcs11.h"

namespace {

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "(none)" : value;
}

void goWrong(const std::string& where) {
  const std::string how = variable("HOLDFAST_ODD");
  if (how == where + "-exit") std::exit(0);
  if (how == where + "-abort") std::abort();
  if (how == where + "-crash") static_cast<void>(std::raise(SIGSEGV));
  while (how == where + "-hang") ::pause();
}

struct Seen {
  std::string atLoad;
  std::string atList;
};

Seen& seen() {
  static Seen instance;
  return instance;
}

__attribute__((constructor)) void loaded() {
  goWrong("load");
  seen().atLoad = variable("HOLDFAST_SEEN");
}

CK_RV initialize(void* /*arguments*/) {
  goWrong("initialize");
  const std::string now = variable("HOLDFAST_SEEN");
  return now == seen().atLoad && now == seen().atList ? CKR_OK : CKR_ARGUMENTS_BAD;
}

CK_RV finalize(void* /*reserved*/) { return CKR_OK; }

CK_RV getSlotList(unsigned char /*tokenPresent*/, CK_SLOT_ID* /*slots*/, unsigned long* count) {
  *count = 0;
  return CKR_OK;
}

CK_FUNCTION_LIST& functions() {
  static CK_FUNCTION_LIST list{};
  return list;
}

template <typename... Arguments>
CK_RV notThere(Arguments... /*ignored*/) {
  return CKR_FUNCTION_NOT_SUPPORTED;
}

/// Deduces the arguments from the type of the entry that the function fills.
template <typename... Arguments>
void fill(CK_RV (*&entry)(Arguments...)) {
  entry = notThere<Arguments...>;
}

void fillAll(CK_FUNCTION_LIST& list) {
  fill(list.C_CloseSession);
  fill(list.C_CopyObject);
  fill(list.C_CreateObject);
  fill(list.C_Decrypt);
  fill(list.C_DecryptInit);
  fill(list.C_DestroyObject);
  fill(list.C_Encrypt);
  fill(list.C_EncryptInit);
  fill(list.C_FindObjects);
  fill(list.C_FindObjectsFinal);
  fill(list.C_FindObjectsInit);
  fill(list.C_GenerateKey);
  fill(list.C_GenerateKeyPair);
  fill(list.C_GenerateRandom);
  fill(list.C_GetAttributeValue);
  fill(list.C_GetInfo);
  fill(list.C_GetMechanismList);
  fill(list.C_GetSessionInfo);
  fill(list.C_GetTokenInfo);
  fill(list.C_Login);
  fill(list.C_OpenSession);
  fill(list.C_SetAttributeValue);
  fill(list.C_Sign);
  fill(list.C_SignInit);
  fill(list.C_UnwrapKey);
  fill(list.C_Verify);
  fill(list.C_VerifyInit);
  fill(list.C_WrapKey);
  list.C_Initialize = initialize;
  list.C_Finalize = finalize;
  list.C_GetSlotList = getSlotList;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
  goWrong("list");
  seen().atList = variable("HOLDFAST_SEEN");
  const std::string how = variable("HOLDFAST_ODD");
  if (how == "list-error") return CKR_HOST_MEMORY;
  fillAll(functions());
  *list = how == "list-null" ? nullptr : &functions();
  return CKR_OK;
}
