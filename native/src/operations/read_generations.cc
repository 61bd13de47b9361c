#include <algorithm>
#include <utility>

#include "failure.h"
#include "generation_mark.h"
#include "operations/operations.h"
#include "search_proof.h"

namespace holdfast {
namespace {

/// Whether the failure speaks about the key and not about the token.
bool isOfKey(const Failure& failure) { return failure.kind == FailureKind::kMaterialMismatch; }

class ReadGenerations final : public Operation {
 public:
  explicit ReadGenerations(std::string cluster) : cluster_(std::move(cluster)) {}

  Value run(OperationContext& context) override {
    auto marked = readMarks(context.session, cluster_);
    std::erase_if(marked, [&](const auto& one) { return !hasAllKeys(context, {cluster_, one.number}); });
    if (marked.empty()) requireNone(context);
    context.token.proveAlive(context.session);
    return marked;
  }

  bool isRepeatable() const override { return true; }

 private:
  /// A member that shows no generation gets no keys.
  static void requireNone(OperationContext& context) {
    const auto lock = lockShared(context, context.token.objects());
    requireTime(context, bool(lock));
    requireNothingFound(context, {});
  }

  static bool hasAllKeys(OperationContext& context, const Generation& generation) {
    requireTimeLeft(context);
    return std::ranges::all_of(kClusterKeys,
                               [&](const auto& key) { return hasKey(context, generation, key); });
  }

  static bool hasKey(OperationContext& context, const Generation& generation, const ClusterKey& key) {
    const KeyName name = nameOf(generation, key);
    const auto found = findClusterKey(context.session, name);
    if (found.size() != 1) return false;
    try {
      requireClusterKey(context.session, found.front(), key, name, context.profile);
      return true;
    } catch (const Failure& failure) {
      if (isOfKey(failure)) return false;
      throw;
    }
  }

  const std::string cluster_;
};

}  // namespace

OperationPointer makeReadGenerations(std::string cluster) {
  return std::make_unique<ReadGenerations>(std::move(cluster));
}

}  // namespace holdfast
