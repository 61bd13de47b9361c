/// \file Random bytes of the token (PKCS#11 v2.40 §5.16 C_GenerateRandom).
#pragma once

#include <span>

#include "secret.h"

namespace holdfast {

struct OperationContext;

/// Fills the buffer, in as many calls as the token needs: it may give fewer bytes at a time than a nonce
/// block has. Throws `bad-output` for bytes that some token of this process gave before (seen_random.h); then
/// no byte of this draw may be used.
void drawRandom(OperationContext& context, std::span<uint8_t> room);

/// Returns `length` random bytes. Draws at least 16, because a repetition of fewer would not be noticed.
[[nodiscard]] Secret drawSecret(OperationContext& context, size_t length);

}  // namespace holdfast
