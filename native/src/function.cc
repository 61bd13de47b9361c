#include "function.h"

namespace holdfast {

const char* nameOf(Function function) {
  switch (function) {
    case Function::kNone:
      return "";
    case Function::C_GetFunctionList:
      return "C_GetFunctionList";
#define HOLDFAST_NAME(name) \
  case Function::name:      \
    return #name;
      HOLDFAST_CALLED_FUNCTIONS(HOLDFAST_NAME)
#undef HOLDFAST_NAME
  }
  return "";
}

FunctionTraits traitsOf(Function function) {
  switch (function) {
    case Function::C_FindObjectsInit:
    case Function::C_FindObjects:
    case Function::C_FindObjectsFinal:
      return {.searches = true};
    case Function::C_GetAttributeValue:
      return {.usesKey = true, .reads = true};
    case Function::C_EncryptInit:
    case Function::C_DecryptInit:
    case Function::C_Sign:
    case Function::C_SignInit:
    case Function::C_UnwrapKey:
    case Function::C_VerifyInit:
    case Function::C_WrapKey:
      return {.usesKey = true};
    case Function::C_Encrypt:
      return {.usesKey = true, .mayHaveEncrypted = true};
    case Function::C_Decrypt:
    case Function::C_Verify:
      return {.usesKey = true, .judgesInput = true};
    case Function::kNone:
    case Function::C_GetFunctionList:
    case Function::C_Initialize:
    case Function::C_Finalize:
    case Function::C_GetInfo:
    case Function::C_GetSlotList:
    case Function::C_GetTokenInfo:
    case Function::C_GetMechanismList:
    case Function::C_OpenSession:
    case Function::C_CloseSession:
    case Function::C_GetSessionInfo:
    case Function::C_Login:
    case Function::C_CopyObject:
    case Function::C_CreateObject:
    case Function::C_GenerateKey:
    case Function::C_GenerateKeyPair:
    case Function::C_GenerateRandom:
    case Function::C_DestroyObject:
    case Function::C_SetAttributeValue:
    case Function::C_SetPIN:
      return {};
  }
  return {};
}

}  // namespace holdfast
