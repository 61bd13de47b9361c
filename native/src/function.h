/// \file The PKCS#11 functions that the addon calls (v2.40 §5), and the meaning of a failure of each.
#pragma once

#include <cstdint>

// A test compares this list with the calls in these sources. C_GetFunctionList is not listed, because it
// gives the others.
#define HOLDFAST_CALLED_FUNCTIONS(X) \
  X(C_CloseSession)                  \
  X(C_CopyObject)                    \
  X(C_CreateObject)                  \
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
  X(C_GenerateKeyPair)               \
  X(C_GenerateRandom)                \
  X(C_GetAttributeValue)             \
  X(C_GetInfo)                       \
  X(C_GetMechanismList)              \
  X(C_GetSessionInfo)                \
  X(C_GetSlotList)                   \
  X(C_GetTokenInfo)                  \
  X(C_Initialize)                    \
  X(C_Login)                         \
  X(C_OpenSession)                   \
  X(C_SetAttributeValue)             \
  X(C_SetPIN)                        \
  X(C_Sign)                          \
  X(C_SignInit)                      \
  X(C_UnwrapKey)                     \
  X(C_Verify)                        \
  X(C_VerifyInit)                    \
  X(C_WrapKey)

namespace holdfast {

/// A function by its name in the standard.
enum class Function : uint8_t {
  /// No function answered.
  kNone,
  C_GetFunctionList,
#define HOLDFAST_ENUMERATOR(name) name,
  HOLDFAST_CALLED_FUNCTIONS(HOLDFAST_ENUMERATOR)
#undef HOLDFAST_ENUMERATOR
};

/// The function's name; '' for kNone.
[[nodiscard]] const char* nameOf(Function function);

/// The possible meanings of a failure of this function.
struct FunctionTraits {
  /// It works on one key, which may be why it failed.
  bool usesKey = false;
  /// It searches for objects.
  bool searches = false;
  /// It reads attributes.
  bool reads = false;
  /// It judges a caller's input. After a failure, only another proof of the key says whether input, key or
  /// HSM is at fault (invariant 5).
  bool judgesInput = false;
  /// It may have encrypted although it failed: then a nonce is spent (invariant 9).
  bool mayHaveEncrypted = false;
};

/// Has a row for every function; if a row is missing, this does not compile.
[[nodiscard]] FunctionTraits traitsOf(Function function);

}  // namespace holdfast
