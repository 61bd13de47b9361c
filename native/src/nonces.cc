#include "nonces.h"

#include <cstring>

#include "random.h"

namespace holdfast {

Nonce NonceStock::take(OperationContext& context) {
  if (left_ == 0) draw(context);
  auto& next = block_[--left_];
  const Nonce taken = next;
  ::explicit_bzero(next.data(), next.size());
  return taken;
}

void NonceStock::draw(OperationContext& context) {
  drawRandom(context, {block_.front().data(), sizeof block_});
  left_ = kBlock;
}

void NonceStock::clear() {
  ::explicit_bzero(&block_, sizeof block_);
  left_ = 0;
}

}  // namespace holdfast
