#include <algorithm>
#include <utility>

#include "key_trouble.h"
#include "operations/operations.h"
#include "signing_answers.h"

namespace holdfast {
namespace {

/// C_SignInit and C_Sign. Never C_Verify: NSS 3.87.1 accepts a MAC with bytes behind it (measured).
class Mac final : public Operation {
 public:
  Mac(MaterialPointer material, Secret message, std::optional<Bytes> expected)
      : material_(std::move(material)), message_(std::move(message)), expected_(std::move(expected)) {}

  Value run(OperationContext& context) override {
    const auto* const known = std::get_if<KnownMac>(&material_->knownAnswer);
    if (known == nullptr) throw failure(FailureKind::kMaterialMismatch, "the key is not one for MACs");
    const size_t length = known->mac.size();
    return withProvenKey(context, material_, [&](const ProvenKey& key) {
      Secret mac(macOf(context.session, key.handle, length, message_.view()));
      requireStillProven(key);
      // The comparison that answers the caller is made elsewhere, in constant time; this one only decides
      // whether the key is tried once more.
      if (!expected_ || std::ranges::equal(mac.view(), *expected_)) return mac;
      if (stillProves(context, material_, key, Proof::kCanary)) return mac;
      throw failure(FailureKind::kHandleRevoked, "the handle was no longer this key's");
    });
  }

  bool isRepeatable() const override { return true; }

 private:
  const MaterialPointer material_;
  const Secret message_;
  const std::optional<Bytes> expected_;
};

}  // namespace

OperationPointer makeMac(MaterialPointer material, Secret message, std::optional<Bytes> expected) {
  return std::make_unique<Mac>(std::move(material), std::move(message), std::move(expected));
}

}  // namespace holdfast
