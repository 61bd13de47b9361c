#include <utility>

#include "cluster_key_finding.h"
#include "known_answer.h"
#include "operations/operations.h"

namespace holdfast {
namespace {

/// A key that was unwrapped as a session object (PKCS#11 v2.40 §4.4). It has no CKA_ID, so a search for the
/// key in use, which has one, never finds both.
class UnwrappedKey {
 public:
  UnwrappedKey(OperationContext& context, const KeyKind& kind, const Wrapping& wrapping, ByteView blob)
      : context_(context), renewals_(context.session.renewals()) {
    auto wanted =
        keyTemplate(kind, {}, Custody::kWrapped, context.profile.knowsCopyable, {}, Lifetime::kSession);
    handle_ = unwrapKey(context.session, wrapping, blob, wanted);
  }
  UnwrappedKey(const UnwrappedKey&) = delete;
  UnwrappedKey& operator=(const UnwrappedKey&) = delete;
  ~UnwrappedKey() { static_cast<void>(destroy()); }

  CK_OBJECT_HANDLE handle() const { return handle_; }

  /// Once. If its session has ended, so has the object, and the handle may be another one's by now.
  CK_RV destroy() {
    const CK_OBJECT_HANDLE handle = std::exchange(handle_, CK_INVALID_HANDLE);
    if (handle == CK_INVALID_HANDLE || context_.session.renewals() != renewals_) return CKR_OK;
    return context_.functions().C_DestroyObject(context_.session.handle(), handle);
  }

 private:
  OperationContext& context_;
  const uint64_t renewals_;
  CK_OBJECT_HANDLE handle_ = CK_INVALID_HANDLE;
};

/// Proves the key of a blob by its attributes and its known answer.
void proveUnwrapped(OperationContext& context, const Material& material, const UnwrappedKey& key) {
  requireTimeLeft(context);
  requireKeyAsMade(readKeyAttributes(context.session, key.handle()), kindOf(material.knownAnswer), {},
                   Custody::kWrapped, Lifetime::kSession);
  tryKnownAnswerAndForgeries(context, material.knownAnswer, key.handle());
}

/// C_UnwrapKey, the proof, and C_DestroyObject.
class ProveBlob final : public Operation {
 public:
  ProveBlob(MaterialPointer material, Generation generation, Bytes blob)
      : material_(std::move(material)), generation_(std::move(generation)), blob_(std::move(blob)) {}

  Value run(OperationContext& context) override {
    const KeyKind& kind = kindOf(material_->knownAnswer);
    const Wrapping wrapping = requiredWrapping(context, kind, generation_);
    // SoftHSM 2.6.1 fails if objects are made and found at the same time.
    const auto lock = lockExclusive(context, context.token.objects());
    requireTime(context, bool(lock));
    UnwrappedKey key(context, kind, wrapping, blob_);
    proveUnwrapped(context, *material_, key);
    check(Function::C_DestroyObject, key.destroy());
    return std::monostate{};
  }

 private:
  const MaterialPointer material_;
  const Generation generation_;
  const Bytes blob_;
};

/// C_UnwrapKey under one generation, the proof, C_WrapKey under another, and C_DestroyObject.
class RewrapBlob final : public Operation {
 public:
  RewrapBlob(MaterialPointer material, Generation from, Bytes blob, Generation to)
      : material_(std::move(material)), from_(std::move(from)), blob_(std::move(blob)), to_(std::move(to)) {}

  Value run(OperationContext& context) override {
    const KeyKind& kind = kindOf(material_->knownAnswer);
    const Wrapping before = requiredWrapping(context, kind, from_);
    const Wrapping after = requiredWrapping(context, kind, to_);
    // SoftHSM 2.6.1 fails if objects are made and found at the same time.
    const auto lock = lockExclusive(context, context.token.objects());
    requireTime(context, bool(lock));
    UnwrappedKey key(context, kind, before, blob_);
    proveUnwrapped(context, *material_, key);
    requireTimeLeft(context);
    Bytes blob = wrapKey(context.session, after, key.handle());
    check(Function::C_DestroyObject, key.destroy());
    return blob;
  }

 private:
  const MaterialPointer material_;
  const Generation from_;
  const Bytes blob_;
  const Generation to_;
};

}  // namespace

OperationPointer makeProveBlob(MaterialPointer material, Generation generation, Bytes blob) {
  return std::make_unique<ProveBlob>(std::move(material), std::move(generation), std::move(blob));
}

OperationPointer makeRewrapBlob(MaterialPointer material, Generation from, Bytes blob, Generation to) {
  return std::make_unique<RewrapBlob>(std::move(material), std::move(from), std::move(blob), std::move(to));
}

}  // namespace holdfast
