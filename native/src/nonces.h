/// \file Nonces from the token's RNG, drawn ahead (invariant 9).
#pragma once

#include <array>
#include <cstdint>

#include "cryptoki.h"

namespace holdfast {

struct OperationContext;

/// The 96 bits of one AES-GCM encryption.
using Nonce = std::array<uint8_t, kNonceLength>;

/// A lane's own stock, for one session; every nonce leaves it once. It is taken before the encryption is
/// tried, its place is wiped, and it is never put back, whatever the outcome. A forked process uses no stock:
/// the child has none of the lanes' threads, and only they can reach it.
class NonceStock {
 public:
  /// Nonces in one draw: so many encryptions cost one C_GenerateRandom.
  static constexpr size_t kBlock = 64;

  NonceStock() = default;
  NonceStock(const NonceStock&) = delete;
  NonceStock& operator=(const NonceStock&) = delete;
  ~NonceStock() { clear(); }

  /// Draws a block if the stock is empty. Throws if the token gives none, or one that it gave before;
  /// nothing of such a block is used.
  [[nodiscard]] Nonce take(OperationContext& context);
  /// Forgets the rest: the session has ended.
  void clear();

 private:
  void draw(OperationContext& context);

  std::array<Nonce, kBlock> block_{};
  size_t left_ = 0;
};

}  // namespace holdfast
