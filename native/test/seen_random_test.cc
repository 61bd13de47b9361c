#include "seen_random.h"

#include <gtest/gtest.h>

#include <random>

#include "token_info.h"

namespace holdfast {
namespace {

/// Piece `number` of an RNG's output.
Bytes piece(uint64_t number, size_t length = 12) {
  std::mt19937_64 random(number);
  Bytes bytes(length);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

TEST(SeenRandom, APieceIsNewOnce) {
  SeenRandom seen;
  EXPECT_TRUE(seen.note(piece(1)));
  EXPECT_TRUE(seen.note(piece(2)));
  EXPECT_FALSE(seen.note(piece(1)));
  EXPECT_FALSE(seen.note(joined({piece(3), piece(2), piece(4)})));
  // The pieces of a refused draw are remembered too.
  EXPECT_FALSE(seen.note(piece(4)));
}

TEST(SeenRandom, ADrawThatRepeatsItselfOrWasNotWrittenIsRefusedAtOnce) {
  SeenRandom seen;
  EXPECT_FALSE(seen.note(joined({piece(1), piece(1)})));
  EXPECT_FALSE(seen.note(Bytes(12)));
  EXPECT_FALSE(seen.note(joined({piece(2), Bytes(8)})));
}

TEST(SeenRandom, ADrawOfBlocksThatRepeatIsRefusedAtOnceWhateverTheirLength) {
  for (size_t length : {32, 64, 256, 768, 1'024}) {
    // A word of 8 bytes repeats at the least common multiple of 8 and the period.
    for (size_t period = 4; period < length; period += 4) {
      const size_t again = period % 8 == 0 ? period : 2 * period;
      if (again + 8 > length) continue;
      Bytes drawn = piece(length * 1'024 + period, length);
      for (size_t i = period; i < length; ++i) drawn[i] = drawn[i - period];
      EXPECT_FALSE(SeenRandom().note(drawn)) << length << " bytes of " << period;
    }
    EXPECT_TRUE(SeenRandom().note(piece(length, length)));
  }
}

TEST(SeenRandom, ARemainderCountsFromEightBytesOnAndDiffersFromAWholePiece) {
  SeenRandom seen;
  EXPECT_TRUE(seen.note(joined({piece(1), piece(2, 8)})));
  EXPECT_FALSE(seen.note(piece(2, 8)));
  EXPECT_TRUE(seen.note(piece(2)));
  EXPECT_TRUE(seen.note(joined({piece(3), piece(4, 7)})));
  EXPECT_TRUE(seen.note(joined({piece(5), piece(4, 7)})));
}

TEST(SeenRandom, TheDistantPastIsRememberedBySamples) {
  SeenRandom seen;
  constexpr uint64_t period = 8 * FingerprintTable::kEntries;
  for (uint64_t number = 0; number < period; ++number) ASSERT_TRUE(seen.note(piece(number)));
  uint64_t repeated = 0;
  while (repeated < period && seen.note(piece(repeated))) ++repeated;
  // One piece in 1,024 is a sample. The probability that so many contain none is 2^-23.
  EXPECT_LT(repeated, 16'384U);
}

std::string printed(const std::string& field) {
  return printable(reinterpret_cast<const unsigned char*>(field.data()), field.size());
}

TEST(TokenText, EndsAtItsPaddingOrAtANul) {
  EXPECT_EQ(printed("alpha   "), "alpha");
  EXPECT_EQ(printed(std::string("alpha\0rubbish ", 14)), "alpha");
  EXPECT_EQ(printed("without padding!"), "without padding!");
  EXPECT_EQ(printed("    "), "");
  EXPECT_EQ(printed(std::string(4, '\0')), "");
  EXPECT_EQ(printed("\xc3\xa4 b"), "\xc3\xa4 b");
}

TEST(TokenText, HasNoControlCharacters) { EXPECT_EQ(printed("a\x1b[31mb\n\x7f"), "a\\x1b[31mb\\x0a\\x7f"); }

}  // namespace
}  // namespace holdfast
