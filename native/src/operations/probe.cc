#include <utility>

#include "key_proof.h"
#include "operations/operations.h"
#include "search_proof.h"

namespace holdfast {
namespace {

/// Proves a material on this member: finds its key, checks the key, and tries the canary now.
class Probe final : public Operation {
 public:
  explicit Probe(MaterialPointer material) : material_(std::move(material)) {}

  Value run(OperationContext& context) override {
    // An older proof says nothing about an HSM that may have failed since.
    const auto known = context.cache.candidateOf(material_->identity);
    context.cache.drop(material_->identity);
    try {
      static_cast<void>(provenKey(context, material_));
    } catch (const Failure& failure) {
      if (!known || failure.kind != FailureKind::kMaterialMissing) throw;
      context.cache.entry(material_->identity)->recordSeen(*known);
      requireNoLonger(context, material_->identity, *known);
      context.cache.drop(material_->identity);
      throw;
    }
    return std::monostate{};
  }

  bool isRepeatable() const override { return true; }

 private:
  MaterialPointer material_;
};

}  // namespace

OperationPointer makeProbe(MaterialPointer material) { return std::make_unique<Probe>(std::move(material)); }

}  // namespace holdfast
