#include <utility>

#include "key_proof.h"
#include "operations/operations.h"

namespace holdfast {
namespace {

/// Proves a material on this member: finds its key, checks the key, and tries the canary now.
class Probe final : public Operation {
 public:
  explicit Probe(MaterialPointer material) : material_(std::move(material)) {}

  Value run(OperationContext& context) override {
    // An older proof says nothing about an HSM that may have failed since.
    context.cache.drop(material_->identity);
    static_cast<void>(provenKey(context, material_));
    return std::monostate{};
  }

  bool isRepeatable() const override { return true; }

 private:
  MaterialPointer material_;
};

}  // namespace

OperationPointer makeProbe(MaterialPointer material) { return std::make_unique<Probe>(std::move(material)); }

}  // namespace holdfast
