#include "secret.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace holdfast {
namespace {

bool isZero(ByteView view) {
  return std::ranges::all_of(view, [](uint8_t byte) { return byte == 0; });
}

TEST(Secret, CopiesItsSource) {
  const Bytes pin{1, 2, 3};
  const Secret secret(pin);
  EXPECT_TRUE(std::ranges::equal(secret.view(), pin));
}

TEST(Secret, ZeroesTheBytesCutOff) {
  Secret secret(Bytes{1, 2, 3, 4});
  const ByteView whole(secret.data(), 4);
  secret.truncate(2);
  EXPECT_EQ(secret.size(), 2U);
  EXPECT_TRUE(isZero(whole.subspan(2)));
  EXPECT_EQ(whole[1], 2);
}

TEST(Secret, MovesWithoutLeavingACopy) {
  Secret from(Bytes{1, 2, 3});
  const uint8_t* const block = from.data();
  const Secret to(std::move(from));
  EXPECT_EQ(to.data(), block);
  EXPECT_EQ(from.size(), 0U);  // NOLINT(bugprone-use-after-move): that it is empty is the point.
}

TEST(Secret, HasAPointerEvenWhenEmpty) {
  EXPECT_NE(Secret().data(), nullptr);
  EXPECT_EQ(Secret(ByteView{}).size(), 0U);
}

}  // namespace
}  // namespace holdfast
