/// \file Outputs that are wrong although the answer is CKR_OK.
#pragma once

#include <mutex>
#include <optional>
#include <vector>

#include "script.h"

namespace faulthsm {

/// The last output of a function, in whatever thread.
struct KeptOutput {
  std::mutex mutex;
  std::vector<unsigned char> bytes;
};

/// Changes the outputs of one call as a line of the script orders. A member does nothing if the line orders
/// something else.
class Lie {
 public:
  explicit Lie(const std::optional<Decision>& decision) : decision_(decision) {}

  bool is(Action action) const { return decision_ && decision_->action == action; }
  /// The number that the line gives, or 1.
  uint64_t number() const { return decision_->value.value_or(1); }

  /// Carries out `short`, `long` and `huge` on a length or a count.
  void aboutLength(CK_ULONG& length) const;
  /// Carries out `zero` on a handle, and `repeat`, which puts `earlier` in its place.
  void aboutHandle(CK_ULONG& handle, CK_ULONG earlier) const;
  /// Changes the entries of a list and their count, or the count alone: `grow` answers CKR_BUFFER_TOO_SMALL
  /// with one more than there was room for, `repeat` replaces all entries by the first, the others act as in
  /// aboutLength.
  CK_RV aboutList(CK_RV rv, CK_ULONG* entries, CK_ULONG& count) const;
  /// Carries out `garbage`: writes bytes that are neither text, nor a flag, nor an expected number.
  void aboutBytes(void* bytes, CK_ULONG length) const;
  /// Carries out `rotate`, `headless` and `tag-first`, which move the bytes of a cipher's output.
  void aboutOrder(unsigned char* bytes, CK_ULONG length) const;
  /// Carries out `previous`: gives the previous output if it is as long. `kept` stores it.
  void aboutTurn(unsigned char* bytes, CK_ULONG length, KeptOutput& kept) const;
  /// Carries out `no-tag`: gives CKR_OK and some plaintext for a ciphertext that was refused.
  CK_RV aboutTag(CK_RV rv, const unsigned char* ciphertext, CK_ULONG length, unsigned char* plaintext,
                 CK_ULONG& plaintextLength) const;
  /// Carries out all of the above on the attributes of a template.
  void aboutAttributes(CK_ATTRIBUTE* attributes, CK_ULONG count) const;

 private:
  const std::optional<Decision>& decision_;
};

/// Carries out `repeat N`: acts as an RNG that starts over after every N draws.
CK_RV drawRepeatedly(uint64_t period, unsigned char* output, CK_ULONG length);

}  // namespace faulthsm
