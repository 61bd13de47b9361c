#include "known_answer.h"

#include <variant>

#include "decryption_canary.h"
#include "signing_answers.h"

namespace holdfast {

void requireAttribute(bool holds, const char* what) {
  if (!holds) throw failure(FailureKind::kMaterialMismatch, what);
}

const KeyKind& kindOf(const KnownAnswer& answer) {
  return std::visit([](const auto& kind) -> const KeyKind& { return kindOf(kind); }, answer);
}

void requireKindOf(const KnownAnswer& answer, const KeyAttributes& read) {
  requireAttribute(read.keyType == kindOf(answer).keyType, "CKA_KEY_TYPE is not the expected one");
  std::visit([&](const auto& kind) { requireKind(kind, read); }, answer);
}

void tryKnownAnswer(OperationContext& context, const KnownAnswer& answer, CK_OBJECT_HANDLE key) {
  std::visit([&](const auto& kind) { tryAnswer(context, kind, key); }, answer);
}

void tryKnownAnswerAndForgeries(OperationContext& context, const KnownAnswer& answer, CK_OBJECT_HANDLE key) {
  auto& refuses = context.selfTest.refusesForgeries.at(answer.index());
  const bool isKnown = refuses.load();
  if (!isKnown) std::visit([&](const auto& kind) { requireForgeriesRefused(context, kind, key); }, answer);
  tryKnownAnswer(context, answer, key);
  if (!isKnown) refuses = true;
}

}  // namespace holdfast
