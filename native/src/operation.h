/// \file The operations that a lane runs, and their outcomes.
#pragma once

#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include "attacks/attack_outcome.h"
#include "attributes.h"
#include "bytes.h"
#include "carried_keys.h"
#include "carry_key.h"
#include "clock.h"
#include "failure.h"
#include "generation_mark.h"
#include "operation_context.h"
#include "secret.h"
#include "sha256.h"
#include "token.h"
#include "witness.h"

namespace holdfast {

class CeremonyThread;
class FileLock;

/// `NativeEncryptedData`: nonce, and ciphertext with its tag.
struct EncryptedData {
  Nonce nonce;
  Bytes ciphertext;
};

/// `NativeDataKey`.
struct DataKey {
  EncryptedData encrypted;
  Secret plaintext;
};

/// The result of `openMember`: index and token.
struct MemberOpened {
  int member = -1;
  TokenInfo token;
};

/// `NativeTokenGenerations`: a token, and the generations that it has marks of.
struct TokenGenerations {
  TokenInfo token;
  std::vector<MarkedGeneration> generations;
};

/// Everything that an operation may give.
using Value =
    std::variant<std::monostate, uint64_t, Bytes, Secret, EncryptedData, DataKey, std::vector<KeyAttributes>,
                 MemberOpened, TokenInfo, std::vector<TokenInfo>, std::vector<ObjectSummary>,
                 std::shared_ptr<FileLock>, std::shared_ptr<CeremonyThread>, std::vector<CarryKeyFingerprint>,
                 CarriedKeysState, std::vector<MarkedGeneration>, TokenGenerations,
                 std::vector<AttackOutcome>, std::vector<Witness>>;

/// A result, and which member in which session epoch gave it.
struct Success {
  int member = -1;
  uint64_t epoch = 0;
  Value value;
  /// When a lane took up the operation, and how long it had it. The clock's epoch if no lane did.
  Clock::time_point started{};
  Clock::duration taken{};
};

/// How an operation ends.
using Outcome = std::variant<Success, Failure>;

/// One crossing of the seam: several PKCS#11 calls on one lane.
class Operation {
 public:
  Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  virtual ~Operation() = default;
  /// Runs on a lane's thread; throws Failure. May run only once, unless it is repeatable.
  [[nodiscard]] virtual Value run(OperationContext& context) = 0;
  /// Whether a run that failed before C_Encrypt leaves nothing behind, and may begin again.
  virtual bool isRepeatable() const { return false; }
};

/// The operation of one request, which owns it.
using OperationPointer = std::unique_ptr<Operation>;

}  // namespace holdfast
