#include "nonces.h"

#include <cstring>

#include "random.h"

namespace holdfast {

Nonce NonceStock::take(Workplace& workplace) {
  if (left_ == 0) draw(workplace);
  auto& next = block_[--left_];
  const Nonce taken = next;
  ::explicit_bzero(next.data(), next.size());
  return taken;
}

void NonceStock::draw(Workplace& workplace) {
  drawRandom(workplace, {block_.front().data(), sizeof block_});
  left_ = kBlock;
}

void NonceStock::clear() {
  ::explicit_bzero(&block_, sizeof block_);
  left_ = 0;
}

}  // namespace holdfast
