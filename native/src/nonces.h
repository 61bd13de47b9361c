/// \file Nonces from the token's RNG, drawn in advance (invariant 9).
#pragma once

#include <array>
#include <cstdint>

#include "cryptoki.h"

namespace holdfast {

struct OperationContext;

/// The 96-bit nonce of one AES-GCM encryption.
using Nonce = std::array<uint8_t, kNonceLength>;

/// One lane's stock for one session. Each nonce leaves it once, before the encryption is tried; its place is
/// wiped, and it is never put back, whatever the outcome. A forked process uses no stock: the child has none
/// of the lanes' threads, and only they can reach it.
class NonceStock {
 public:
  /// Nonces per draw: one C_GenerateRandom serves this many encryptions.
  static constexpr size_t kBlock = 64;

  NonceStock() = default;
  NonceStock(const NonceStock&) = delete;
  NonceStock& operator=(const NonceStock&) = delete;
  ~NonceStock() { clear(); }

  /// Draws a block if the stock is empty. Throws if the token gives none, or one that it gave before; then
  /// nothing of the block is used.
  [[nodiscard]] Nonce take(OperationContext& context);
  /// Forgets the rest, when the session has ended.
  void clear();

 private:
  void draw(OperationContext& context);

  std::array<Nonce, kBlock> block_{};
  size_t left_ = 0;
};

}  // namespace holdfast
