/// \file The answers that JavaScript gets in one call, in the form in which they cross.
#pragma once

#include <cstdint>
#include <span>

#include "operation.h"

namespace holdfast {

/// The answers of one call: a row of numbers for each, and the bytes of all of them. They are written to
/// memory that JavaScript reads. Only the results of data operations can be packed: EncryptedData, DataKey
/// and Secret.
class AnswerBatch {
 public:
  /// The columns of a row: `answerColumns` of src/hsm/native-answers.ts.
  enum Column : uint8_t {
    kTicket,
    kMember,
    kEpoch,
    kStartedMs,
    kLaneMs,
    /// The offset of its first byte.
    kOffset,
    /// Nonce, ciphertext and tag; 0 if there is none.
    kEncryptedLength,
    /// The plaintext, data key or random bytes behind them.
    kSecretLength,
    kColumns,
  };

  AnswerBatch(std::span<double> numbers, std::span<uint8_t> bytes) : numbers_(numbers), bytes_(bytes) {}
  AnswerBatch(const AnswerBatch&) = delete;
  AnswerBatch& operator=(const AnswerBatch&) = delete;
  ~AnswerBatch() { clear(); }

  /// How many bytes this answer takes.
  [[nodiscard]] static size_t lengthOf(const Success& success);

  /// Adds an answer. False if the batch has no room for it.
  [[nodiscard]] bool add(uint64_t ticket, const Success& success);
  [[nodiscard]] size_t size() const { return size_; }
  /// Called when JavaScript has read the batch: zeroes the bytes if any were secret, and empties the batch.
  void clear();

 private:
  void append(ByteView bytes);

  std::span<double> numbers_;
  std::span<uint8_t> bytes_;
  size_t size_ = 0;
  size_t used_ = 0;
  bool hasSecrets_ = false;
};

}  // namespace holdfast
