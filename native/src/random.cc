#include "random.h"

#include <algorithm>

#include "failure.h"
#include "operation_context.h"
#include "return_values.h"
#include "seen_random.h"

namespace holdfast {
namespace {

/// The shortest draw to ask for, the length of a smart card's challenge: no known token gives less at a time.
constexpr size_t kShortestDraw = 8;
constexpr size_t kShortestSecret = 16;

/// Draws in one call as many bytes as the token gives at a time. If it refuses that many, asks for half as
/// many. The accepted length is remembered, so only the first draws after an opening pay for this.
size_t drawOnce(OperationContext& context, std::span<uint8_t> room) {
  auto& longest = context.token.longestDraw();
  size_t length = std::min(room.size(), longest.load());
  const auto draw = [&] {
    return context.functions().C_GenerateRandom(context.session.handle(), room.data(), length);
  };
  CK_RV rv = draw();
  const bool wasRefused = rv != CKR_OK;
  while (returnValue(rv).couldBeTooLong && length > kShortestDraw) {
    requireTimeLeft(context);
    length = std::max(length / 2, kShortestDraw);
    rv = draw();
  }
  check(Function::C_GenerateRandom, rv);
  if (wasRefused) longest = length;
  return length;
}

}  // namespace

void drawRandom(OperationContext& context, std::span<uint8_t> room) {
  for (size_t drawn = 0; drawn < room.size();) {
    if (drawn > 0) requireTimeLeft(context);
    drawn += drawOnce(context, room.subspan(drawn));
  }
  if (!SeenRandom::ofProcess().note(room))
    throw badOutput(Function::C_GenerateRandom,
                    "the token gave no random bytes, or some that it gave before");
}

Secret drawSecret(OperationContext& context, size_t length) {
  Secret bytes(std::max(length, kShortestSecret));
  drawRandom(context, {bytes.data(), bytes.size()});
  bytes.truncate(length);
  return bytes;
}

}  // namespace holdfast
