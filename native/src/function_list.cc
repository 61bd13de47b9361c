#include "function_list.h"

#include <string>

#include "failure.h"

// Every function that the addon calls. A test compares it with the calls in these sources.
#define HOLDFAST_CALLED_FUNCTIONS(X) \
  X(C_CloseSession)                  \
  X(C_Decrypt)                       \
  X(C_DecryptInit)                   \
  X(C_DestroyObject)                 \
  X(C_Encrypt)                       \
  X(C_EncryptInit)                   \
  X(C_Finalize)                      \
  X(C_FindObjects)                   \
  X(C_FindObjectsFinal)              \
  X(C_FindObjectsInit)               \
  X(C_GenerateKey)                   \
  X(C_GenerateRandom)                \
  X(C_GetAttributeValue)             \
  X(C_GetInfo)                       \
  X(C_GetMechanismList)              \
  X(C_GetSessionInfo)                \
  X(C_GetSlotList)                   \
  X(C_GetTokenInfo)                  \
  X(C_Initialize)                    \
  X(C_Login)                         \
  X(C_OpenSession)

namespace holdfast {
namespace {

template <typename Function>
void require(Function function, const char* name) {
  if (function != nullptr) return;
  throw failure(FailureKind::kModule, std::string("the module's list of functions has no ") + name);
}

}  // namespace

CK_FUNCTION_LIST* requireFunctionList(CK_RV rv, CK_FUNCTION_LIST* functions) {
  check("C_GetFunctionList", rv);
  if (functions == nullptr)
    throw failure(FailureKind::kModule, "C_GetFunctionList gave no list of functions");
  require(functions->C_Initialize, "C_Initialize");
  return functions;
}

void requireFunctions(const CK_FUNCTION_LIST& functions) {
#define HOLDFAST_REQUIRE(name) require(functions.name, #name);
  HOLDFAST_CALLED_FUNCTIONS(HOLDFAST_REQUIRE)
#undef HOLDFAST_REQUIRE
}

}  // namespace holdfast
