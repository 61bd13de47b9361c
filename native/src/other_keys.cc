#include "other_keys.h"

#include <optional>

#include "key_proof.h"
#include "return_values.h"
#include "self_test.h"

namespace holdfast {
namespace {

/// One of them may have a fault of its own.
constexpr size_t kMostWitnesses = 3;

bool saysTokenIsLost(const Failure& failure) {
  const auto& row = returnValue(failure.rv);
  return failure.kind == FailureKind::kRv && row.poisonsMember && row.poisonsSession;
}

/// Nothing if no other key is known.
std::optional<bool> witnessesDecrypt(Workplace& workplace, const Bytes& troubledId) {
  std::optional<Failure> last;
  for (const auto& [handle, material] : workplace.cache.provenKeys(troubledId, kMostWitnesses)) {
    try {
      tryCanary(workplace, *material, handle);
      return true;
    } catch (const Failure& failure) {
      if (!mayBeOfKey(failure)) throw;
      last = failure;
    }
    if (saysTokenIsLost(*last)) break;
  }
  if (!last) return std::nullopt;
  last->kind = FailureKind::kSelfTestFailed;
  last->detail = "keys that worked before do not decrypt their canaries either";
  throw Failure(*last);
}

}  // namespace

void requireSession(const Workplace& workplace) { workplace.token.proveSession(workplace.session); }

bool otherKeysWork(Workplace& workplace, const Bytes& troubledId, Direction direction) {
  requireSession(workplace);
  const bool witnessed = direction == Direction::kDecrypt && witnessesDecrypt(workplace, troubledId);
  return witnessed || passesSelfTest(workplace);
}

}  // namespace holdfast
