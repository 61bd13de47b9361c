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
    requireTimeLeft(context);
    requireKeyAsMade(readKeyAttributes(context.session, key.handle()), kind, {}, Custody::kWrapped,
                     Lifetime::kSession);
    tryKnownAnswerAndForgeries(context, material_->knownAnswer, key.handle());
    check(Function::C_DestroyObject, key.destroy());
    return std::monostate{};
  }

 private:
  const MaterialPointer material_;
  const Generation generation_;
  const Bytes blob_;
};

}  // namespace

OperationPointer makeProveBlob(MaterialPointer material, Generation generation, Bytes blob) {
  return std::make_unique<ProveBlob>(std::move(material), std::move(generation), std::move(blob));
}

}  // namespace holdfast
