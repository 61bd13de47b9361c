/// \file `nss-token <libsoftokn3.so> <initialisation string> <user PIN>`: makes the database that the string
/// names, with this PIN.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#define CRYPTOKI_COMPAT 1
#include "pkcs11.h"

namespace {

/// The slot of the database; slot 1 is for keys that are not kept.
constexpr CK_SLOT_ID kDatabaseSlot = 2;

void check(const char* functionName, CK_RV rv) {
  if (rv == CKR_OK) return;
  std::fprintf(stderr, "%s: 0x%lx\n", functionName, rv);
  std::exit(1);
}

unsigned char* bytesOf(char* text) { return reinterpret_cast<unsigned char*>(text); }

CK_FUNCTION_LIST* load(const char* path) {
  void* const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    std::exit(1);
  }
  const auto get = reinterpret_cast<CK_RV (*)(CK_FUNCTION_LIST**)>(dlsym(library, "C_GetFunctionList"));
  CK_FUNCTION_LIST* functions = nullptr;
  check("C_GetFunctionList", get == nullptr ? CKR_FUNCTION_NOT_SUPPORTED : get(&functions));
  return functions;
}

/// The officer's PIN of a new database is empty.
void setPin(CK_FUNCTION_LIST& nss, char* pin) {
  CK_SESSION_HANDLE session = 0;
  unsigned char none = 0;
  check("C_OpenSession",
        nss.C_OpenSession(kDatabaseSlot, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session));
  check("C_Login", nss.C_Login(session, CKU_SO, &none, 0));
  check("C_InitPIN", nss.C_InitPIN(session, bytesOf(pin), std::strlen(pin)));
  check("C_CloseSession", nss.C_CloseSession(session));
}

}  // namespace

int main(int count, char** values) {
  if (count != 4) return 2;
  CK_FUNCTION_LIST& nss = *load(values[1]);
  CK_C_INITIALIZE_ARGS arguments{};
  arguments.flags = CKF_OS_LOCKING_OK;
  arguments.pReserved = values[2];
  check("C_Initialize", nss.C_Initialize(&arguments));
  setPin(nss, values[3]);
  check("C_Finalize", nss.C_Finalize(nullptr));
  return 0;
}
