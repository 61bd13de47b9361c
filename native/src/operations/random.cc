#include "random.h"

#include <utility>

#include "operations/operations.h"

namespace holdfast {
namespace {

/// C_GenerateRandom (PKCS#11 v2.40 §5.16).
class Random final : public Operation {
 public:
  explicit Random(size_t length) : length_(length) {}

  Value run(OperationContext& context) override { return drawSecret(context, length_); }

  bool isRepeatable() const override { return true; }

 private:
  size_t length_;
};

}  // namespace

OperationPointer makeRandom(size_t length) { return std::make_unique<Random>(length); }

}  // namespace holdfast
