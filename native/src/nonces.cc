#include "nonces.h"

#include <algorithm>
#include <cstring>

#include "failure.h"

namespace holdfast {

Nonce NonceStock::take(Session& session) {
  if (left_ == 0) draw(session);
  auto& next = block_[--left_];
  const Nonce taken = next;
  ::explicit_bzero(next.data(), next.size());
  return taken;
}

void NonceStock::draw(Session& session) {
  check("C_GenerateRandom", session.functions().C_GenerateRandom(
                                session.handle(), reinterpret_cast<CK_BYTE*>(&block_), sizeof block_));
  // Also the look of a module that answers OK and writes nothing.
  if (std::ranges::adjacent_find(block_) != block_.end()) {
    clear();
    throw rvFailure("C_GenerateRandom", CKR_GENERAL_ERROR);
  }
  left_ = kBlock;
}

void NonceStock::clear() {
  ::explicit_bzero(&block_, sizeof block_);
  left_ = 0;
}

}  // namespace holdfast
