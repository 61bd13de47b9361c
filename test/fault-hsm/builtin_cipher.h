/// \file A cipher that costs next to nothing, for simulating an HSM that is faster than any software token.
/// FOR TESTS ONLY: it protects nothing.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#define CRYPTOKI_COMPAT 1
#include "pkcs11.h"

namespace faulthsm {

/// Stands in for CKM_AES_GCM: the same parameters, lengths, order of calls and answers to a wrong tag. The
/// "key" is a hash of the object's class and CKA_ID, so HSMs with the same keys read each other.
class BuiltinCipher {
 public:
  enum class Direction { kEncrypt, kDecrypt };

  /// Carries out C_EncryptInit and C_DecryptInit. `identity`: the key's identity in Objects.
  CK_RV begin(CK_SESSION_HANDLE session, Direction direction, const CK_MECHANISM& mechanism,
              const std::string& identity);
  /// Carries out C_Encrypt and C_Decrypt. Nothing if the session's operation was not begun here.
  std::optional<CK_RV> finish(CK_SESSION_HANDLE session, Direction direction, const unsigned char* input,
                              CK_ULONG inputLength, unsigned char* output, CK_ULONG* outputLength);

 private:
  struct Operation {
    Direction direction;
    uint64_t key;
    std::string additionalData;
  };

  std::optional<Operation> operationOf(CK_SESSION_HANDLE session, Direction direction) const;
  void end(CK_SESSION_HANDLE session);

  mutable std::mutex mutex_;
  std::unordered_map<CK_SESSION_HANDLE, Operation> operations_;
};

/// Carries out C_GenerateRandom.
CK_RV drawBuiltinRandom(unsigned char* output, CK_ULONG length);

/// The one cipher of this copy of the library.
BuiltinCipher& builtinCipher();

}  // namespace faulthsm
