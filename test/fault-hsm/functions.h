/// \file Every function of PKCS#11 v2.40, and what the module knows of its parameters.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#define CRYPTOKI_COMPAT 1
#include "pkcs11.h"

namespace faulthsm {

/// Properties of a function that matter to a broken HSM.
enum Trait : unsigned {
  kSession = 1,       ///< The first parameter is a session.
  kSlot = 2,          ///< The first parameter is a slot.
  kHost = 4,          ///< Answered by the library on the host: works while the device is unavailable.
  kUsesKey = 8,       ///< Uses a key, so it needs a login.
  kReadsObject = 16,  ///< Reads an object, so it needs a login.
  kMakesObject = 32,  ///< Makes an object: needs a login, and room.
  /// Ends an operation or a session even if it fails (§5.8.2, §5.9.2), so it is always forwarded.
  kEndsOperation = 64,
  kFinds = 128,  ///< Part of a search.
  /// Puts out bytes or a list: a call that pretends still gives their length.
  kPutsOut = 256,
};

/// One function. `handles`: the parameters (bit 0 is the first) that are object handles; `made`: those that
/// point to the place of a new handle.
struct Function {
  std::string_view name;
  unsigned traits;
  unsigned handles;
  unsigned made;
};

// The list leaves out C_Initialize, C_Finalize and C_GetFunctionList, which have no parameters of this kind.
#define FAULT_HSM_FUNCTIONS(X)                                    \
  X(C_GetInfo, kHost, 0, 0)                                       \
  X(C_GetSlotList, kHost | kPutsOut, 0, 0)                        \
  X(C_GetSlotInfo, kHost | kSlot, 0, 0)                           \
  X(C_GetTokenInfo, kSlot, 0, 0)                                  \
  X(C_GetMechanismList, kSlot | kPutsOut, 0, 0)                   \
  X(C_GetMechanismInfo, kSlot, 0, 0)                              \
  X(C_InitToken, kSlot, 0, 0)                                     \
  X(C_InitPIN, kSession, 0, 0)                                    \
  X(C_SetPIN, kSession, 0, 0)                                     \
  X(C_OpenSession, kSlot, 0, 0)                                   \
  X(C_CloseSession, kSession | kEndsOperation, 0, 0)              \
  X(C_CloseAllSessions, kSlot | kEndsOperation, 0, 0)             \
  X(C_GetSessionInfo, kSession, 0, 0)                             \
  X(C_GetOperationState, kSession, 0, 0)                          \
  X(C_SetOperationState, kSession, 0b11000, 0)                    \
  X(C_Login, kSession, 0, 0)                                      \
  X(C_Logout, kSession, 0, 0)                                     \
  X(C_CreateObject, kSession | kMakesObject, 0, 0b1000)           \
  X(C_CopyObject, kSession | kMakesObject, 0b10, 0b10000)         \
  X(C_DestroyObject, kSession | kReadsObject, 0b10, 0)            \
  X(C_GetObjectSize, kSession | kReadsObject, 0b10, 0)            \
  X(C_GetAttributeValue, kSession | kReadsObject, 0b10, 0)        \
  X(C_SetAttributeValue, kSession | kReadsObject, 0b10, 0)        \
  X(C_FindObjectsInit, kSession | kFinds, 0, 0)                   \
  X(C_FindObjects, kSession | kFinds, 0, 0)                       \
  X(C_FindObjectsFinal, kSession | kFinds | kEndsOperation, 0, 0) \
  X(C_EncryptInit, kSession | kUsesKey, 0b100, 0)                 \
  X(C_Encrypt, kSession | kEndsOperation | kPutsOut, 0, 0)        \
  X(C_EncryptUpdate, kSession, 0, 0)                              \
  X(C_EncryptFinal, kSession | kEndsOperation, 0, 0)              \
  X(C_DecryptInit, kSession | kUsesKey, 0b100, 0)                 \
  X(C_Decrypt, kSession | kEndsOperation | kPutsOut, 0, 0)        \
  X(C_DecryptUpdate, kSession, 0, 0)                              \
  X(C_DecryptFinal, kSession | kEndsOperation, 0, 0)              \
  X(C_DigestInit, kSession, 0, 0)                                 \
  X(C_Digest, kSession | kEndsOperation, 0, 0)                    \
  X(C_DigestUpdate, kSession, 0, 0)                               \
  X(C_DigestKey, kSession | kUsesKey, 0b10, 0)                    \
  X(C_DigestFinal, kSession | kEndsOperation, 0, 0)               \
  X(C_SignInit, kSession | kUsesKey, 0b100, 0)                    \
  X(C_Sign, kSession | kEndsOperation, 0, 0)                      \
  X(C_SignUpdate, kSession, 0, 0)                                 \
  X(C_SignFinal, kSession | kEndsOperation, 0, 0)                 \
  X(C_SignRecoverInit, kSession | kUsesKey, 0b100, 0)             \
  X(C_SignRecover, kSession | kEndsOperation, 0, 0)               \
  X(C_VerifyInit, kSession | kUsesKey, 0b100, 0)                  \
  X(C_Verify, kSession | kEndsOperation, 0, 0)                    \
  X(C_VerifyUpdate, kSession, 0, 0)                               \
  X(C_VerifyFinal, kSession | kEndsOperation, 0, 0)               \
  X(C_VerifyRecoverInit, kSession | kUsesKey, 0b100, 0)           \
  X(C_VerifyRecover, kSession | kEndsOperation, 0, 0)             \
  X(C_DigestEncryptUpdate, kSession, 0, 0)                        \
  X(C_DecryptDigestUpdate, kSession, 0, 0)                        \
  X(C_SignEncryptUpdate, kSession, 0, 0)                          \
  X(C_DecryptVerifyUpdate, kSession, 0, 0)                        \
  X(C_GenerateKey, kSession | kMakesObject, 0, 0b10000)           \
  X(C_GenerateKeyPair, kSession | kMakesObject, 0, 0b11000000)    \
  X(C_WrapKey, kSession | kUsesKey, 0b1100, 0)                    \
  X(C_UnwrapKey, kSession | kMakesObject, 0b100, 0b10000000)      \
  X(C_DeriveKey, kSession | kMakesObject, 0b100, 0b100000)        \
  X(C_SeedRandom, kSession, 0, 0)                                 \
  X(C_GenerateRandom, kSession, 0, 0)                             \
  X(C_GetFunctionStatus, kSession, 0, 0)                          \
  X(C_CancelFunction, kSession, 0, 0)                             \
  X(C_WaitForSlotEvent, kHost, 0, 0)

/// A function's place in the tables. C_Initialize and C_Finalize come before the functions of the list.
enum FunctionNumber : size_t {
  kC_Initialize,
  kC_Finalize,
#define FAULT_HSM_NUMBER(name, traits, handles, made) k##name,
  FAULT_HSM_FUNCTIONS(FAULT_HSM_NUMBER)
#undef FAULT_HSM_NUMBER
      kFunctionCount
};

inline constexpr std::array<Function, kFunctionCount> kFunctions{
    {{"C_Initialize", kHost, 0, 0},
     {"C_Finalize", kHost | kEndsOperation, 0, 0},
#define FAULT_HSM_ROW(name, traits, handles, made) {#name, traits, handles, made},
     FAULT_HSM_FUNCTIONS(FAULT_HSM_ROW)
#undef FAULT_HSM_ROW
    }};

constexpr bool has(FunctionNumber function, unsigned traits) {
  return (kFunctions[function].traits & traits) != 0;
}

}  // namespace faulthsm
