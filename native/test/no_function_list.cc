/// \file A module that answers CKR_OK and gives no list of functions.
#define CRYPTOKI_COMPAT 1
#include "pkcs11.h"

extern "C" __attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
  *list = nullptr;
  return CKR_OK;
}
