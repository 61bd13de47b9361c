#include <utility>

#include "cluster_key_finding.h"
#include "key_finding.h"
#include "key_proof.h"
#include "key_wrapping.h"
#include "known_answer.h"
#include "operations/operations.h"
#include "search_proof.h"

namespace holdfast {
namespace {

/// C_WrapKey of a key that has proved itself.
class WrapKey final : public Operation {
 public:
  WrapKey(MaterialPointer material, Generation generation)
      : material_(std::move(material)), generation_(std::move(generation)) {}

  Value run(OperationContext& context) override {
    const Wrapping wrapping = requiredWrapping(context, kindOf(material_->knownAnswer), generation_);
    const ProvenKey key = provenKey(context, material_);
    requireTimeLeft(context);
    Bytes blob = wrapKey(context.session, wrapping, key.handle);
    requireStillProven(key);
    return blob;
  }

 private:
  const MaterialPointer material_;
  const Generation generation_;
};

/// C_UnwrapKey, unless the token has the key already. A second object with its CKA_ID would make both
/// unusable (invariant 3), so the search and the call are under one exclusive lock; other processes must not
/// do the same at the same time.
class UnwrapKey final : public Operation {
 public:
  UnwrapKey(MaterialPointer material, Generation generation, Bytes blob, Novelty novelty)
      : material_(std::move(material)),
        generation_(std::move(generation)),
        blob_(std::move(blob)),
        novelty_(novelty) {}

  Value run(OperationContext& context) override {
    const Wrapping wrapping = requiredWrapping(context, kindOf(material_->knownAnswer), generation_);
    const CK_OBJECT_HANDLE made = unwrapIfMissing(context, wrapping);
    if (made == CK_INVALID_HANDLE) {
      static_cast<void>(provenKey(context, material_));
      return uint64_t{0};
    }
    try {
      requireTimeLeft(context);
      prove(context, made);
    } catch (const Failure&) {
      takeBack(context, made);
      throw;
    }
    return uint64_t{1};
  }

 private:
  CK_OBJECT_HANDLE unwrapIfMissing(OperationContext& context, const Wrapping& wrapping) const {
    const auto lock = lockExclusive(context, context.token.objects());
    requireTime(context, bool(lock));
    if (novelty_ == Novelty::kMayExist && exists(context)) return CK_INVALID_HANDLE;
    context.cache.drop(material_->identity);
    auto wanted =
        keyTemplate(kindOf(material_->knownAnswer), name(), Custody::kWrapped, context.profile.knowsCopyable);
    return unwrapKey(context.session, wrapping, blob_, wanted);
  }

  bool exists(OperationContext& context) const {
    if (!findObjects(context, material_->identity, 1).empty()) return true;
    requireNothingFound(context, material_->identity);
    return false;
  }

  void prove(OperationContext& context, CK_OBJECT_HANDLE made) const {
    try {
      const KeyKind& kind = kindOf(material_->knownAnswer);
      requireKeyAsMade(readKeyAttributes(context.session, made), kind, name(), Custody::kWrapped);
    } catch (const Failure& failure) {
      if (failure.kind != FailureKind::kMaterialMismatch) throw;
      throw badOutput(Function::C_UnwrapKey, "the key is not as requested: " + failure.detail);
    }
    proveNewKey(context, material_, made);
  }

  /// Removes a copy that is no proved one: under this CKA_ID it would stand in the way of the right one. If
  /// that fails too, the next attempt finds the copy and judges it.
  void takeBack(OperationContext& context, CK_OBJECT_HANDLE made) const {
    const auto lock = lockExclusive(context, context.token.objects());
    try {
      requireTime(context, bool(lock));
    } catch (const Failure&) {
      return;
    }
    context.cache.drop(material_->identity);
    context.functions().C_DestroyObject(context.session.handle(), made);
  }

  KeyName name() const { return {material_->identity.id, material_->label}; }

  const MaterialPointer material_;
  const Generation generation_;
  const Bytes blob_;
  const Novelty novelty_;
};

}  // namespace

OperationPointer makeWrapKey(MaterialPointer material, Generation generation) {
  return std::make_unique<WrapKey>(std::move(material), std::move(generation));
}

OperationPointer makeUnwrapKey(MaterialPointer material, Generation generation, Bytes blob, Novelty novelty) {
  return std::make_unique<UnwrapKey>(std::move(material), std::move(generation), std::move(blob), novelty);
}

}  // namespace holdfast
