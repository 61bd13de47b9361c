#include <utility>

#include "attributes.h"
#include "key_finding.h"
#include "key_proof.h"
#include "known_answer.h"
#include "operations/operations.h"

namespace holdfast {
namespace {

/// More copies of one key than any number of repairs makes. What is beyond it, the next run finds.
constexpr size_t kMostObjects = 64;

/// Copies of one key are as good as one another, and two of them make the key unusable (invariant 3). So all
/// but one are destroyed, if every object is the material's key in all respects. One that is not may have
/// been planted, and then nothing is touched: an operator must see it.
class ResolveDuplicates final : public Operation {
 public:
  explicit ResolveDuplicates(MaterialPointer material) : material_(std::move(material)) {}

  Value run(OperationContext& context) override {
    const auto lock = lockExclusive(context, context.token.objects());
    requireTime(context, bool(lock));
    const auto objects = findObjects(context, material_->identity, kMostObjects);
    if (objects.size() < 2) return uint64_t{0};
    for (const CK_OBJECT_HANDLE object : objects) prove(context, object);
    context.cache.drop(material_->identity);
    for (size_t i = 1; i < objects.size(); ++i) destroy(context, objects[i]);
    requireLeft(context, objects.front());
    return uint64_t(objects.size() - 1);
  }

 private:
  void prove(OperationContext& context, CK_OBJECT_HANDLE object) const {
    requireTimeLeft(context);
    requireFound(context, material_->identity, object);
    try {
      checkAttributes(context, object, *material_);
      tryKnownAnswerAndForgeries(context, material_->knownAnswer, object);
    } catch (const Failure& failure) {
      // Somebody put it there: that is no fault of the HSM.
      if (mayBeOfKey(failure)) throw keyFault(failure);
      throw;
    }
  }

  void destroy(OperationContext& context, CK_OBJECT_HANDLE object) const {
    requireTimeLeft(context);
    requireFound(context, material_->identity, object);
    check(Function::C_DestroyObject, context.functions().C_DestroyObject(context.session.handle(), object));
  }

  void requireLeft(OperationContext& context, CK_OBJECT_HANDLE object) const {
    prove(context, object);
    if (findObjects(context, material_->identity, 2).size() == 1) return;
    throw badOutput(Function::C_DestroyObject, "an object still exists after it was destroyed");
  }

  const MaterialPointer material_;
};

}  // namespace

OperationPointer makeResolveDuplicates(MaterialPointer material) {
  return std::make_unique<ResolveDuplicates>(std::move(material));
}

}  // namespace holdfast
