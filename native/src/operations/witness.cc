#include "witness.h"

#include <utility>

#include "operations/operations.h"

namespace holdfast {
namespace {

class ReadWitnesses final : public Operation {
 public:
  explicit ReadWitnesses(std::string cluster) : cluster_(std::move(cluster)) {}

  Value run(OperationContext& context) override {
    auto witnesses = readWitnesses(context, cluster_);
    // None counts only if the token still answers (invariant 4).
    context.token.proveAlive(context.session);
    return witnesses;
  }

  bool isRepeatable() const override { return true; }

 private:
  const std::string cluster_;
};

class WriteWitness final : public Operation {
 public:
  WriteWitness(std::string cluster, Witness witness)
      : cluster_(std::move(cluster)), witness_(std::move(witness)) {}

  Value run(OperationContext& context) override {
    writeWitness(context, cluster_, witness_);
    return std::monostate{};
  }

 private:
  const std::string cluster_;
  const Witness witness_;
};

}  // namespace

OperationPointer makeReadWitnesses(std::string cluster) {
  return std::make_unique<ReadWitnesses>(std::move(cluster));
}

OperationPointer makeWriteWitness(std::string cluster, Witness witness) {
  return std::make_unique<WriteWitness>(std::move(cluster), std::move(witness));
}

}  // namespace holdfast
