#include "other_keys.h"

#include <optional>

#include "attributes.h"
#include "key_finding.h"
#include "key_proof.h"
#include "known_answer.h"
#include "return_values.h"
#include "self_test.h"

namespace holdfast {
namespace {

/// The most other keys to try: several, because one may have a fault of its own.
constexpr size_t kMostWitnesses = 3;

bool saysTokenIsLost(const Failure& failure) {
  return failure.kind == FailureKind::kRv && returnValue(failure.rv).tokenLost();
}

/// Returns true if another key decrypts its canary, and nothing if no other key is known. Otherwise throws.
[[nodiscard]] std::optional<bool> witnessesDecrypt(OperationContext& context,
                                                   const ObjectIdentity& troubled) {
  std::optional<Failure> last;
  for (const auto& [handle, material] : context.cache.provenKeys(troubled, kMostWitnesses)) {
    try {
      tryKnownAnswer(context, material->knownAnswer, handle);
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

/// Tries a key that has proved itself, or else one made for this test.
void readAnotherKey(OperationContext& context, const ObjectIdentity& troubled) {
  std::optional<Failure> last;
  for (const auto& [handle, material] : context.cache.provenKeys(troubled, kMostWitnesses)) {
    try {
      static_cast<void>(readKeyAttributes(context.session, handle));
      return;
    } catch (const Failure& failure) {
      last = failure;
    }
  }
  if (last) throw Failure(*last);
  static_cast<void>(readsSessionKey(context));
}

bool isOfSearch(const Failure& failure) { return traitsOf(failure.function).searches; }

bool isOfReading(const Failure& failure) { return traitsOf(failure.function).reads; }

}  // namespace

void requireLookUpOfOthers(OperationContext& context, const ObjectIdentity& troubled,
                           const Failure& failure) {
  if (failure.kind != FailureKind::kRv) return;
  try {
    // It does not matter whether a key has this id, only whether the search works.
    if (isOfSearch(failure))
      static_cast<void>(findObjectsInTurn(context, {troubled.objectClass, Bytes(troubled.id.size())}, 1));
    if (isOfReading(failure)) readAnotherKey(context, troubled);
  } catch (const Failure& other) {
    if (other.kind != FailureKind::kRv || !(isOfSearch(other) || isOfReading(other))) throw;
    Failure verdict = failure;
    verdict.kind = FailureKind::kLookUpFailed;
    verdict.detail = "it fails for another key too";
    throw Failure(verdict);
  }
}

void requireSession(const OperationContext& context) { context.token.proveSession(context.session); }

bool otherKeysWork(OperationContext& context, const ObjectIdentity& troubled, Direction direction) {
  requireSession(context);
  const bool witnessed = direction == Direction::kDecrypt && witnessesDecrypt(context, troubled);
  return witnessed || passesSelfTest(context);
}

}  // namespace holdfast
