#include "answer_batch.h"

#include <algorithm>
#include <array>
#include <vector>

#include "core_fixture.h"

namespace holdfast {
namespace {

constexpr size_t kRows = 4;

/// The memory that JavaScript gives.
struct Memory {
  std::array<double, kRows * AnswerBatch::kColumns> numbers{};
  std::array<uint8_t, 128> bytes{};

  double at(size_t row, AnswerBatch::Column column) const {
    return numbers[row * AnswerBatch::kColumns + column];
  }
  bool isZero() const {
    return std::ranges::all_of(bytes, [](uint8_t byte) { return byte == 0; });
  }
};

Secret secretOf(size_t length, uint8_t byte) { return Secret(Bytes(length, byte)); }

Success encrypted(size_t length) { return Success{1, 2, EncryptedData{Nonce{9}, Bytes(length, 0x11)}}; }
Success secret(size_t length) { return Success{1, 2, secretOf(length, 0x22)}; }
Success dataKey(size_t length) {
  return Success{1, 2, DataKey{EncryptedData{Nonce{9}, Bytes(length, 0x11)}, secretOf(length, 0x22)}};
}

TEST(AnswerBatch, ARowHasTheNumbersOfItsAnswer) {
  Memory memory;
  AnswerBatch batch(memory.numbers, memory.bytes);
  Success success = dataKey(20);
  success.member = 3;
  success.epoch = 5;
  success.started = Clock::time_point(std::chrono::milliseconds(7));
  success.taken = std::chrono::microseconds(250);
  ASSERT_TRUE(batch.add(uint64_t{1} << 52, success));
  EXPECT_EQ(memory.at(0, AnswerBatch::kTicket), 0x1p52);
  EXPECT_EQ(memory.at(0, AnswerBatch::kMember), 3);
  EXPECT_EQ(memory.at(0, AnswerBatch::kEpoch), 5);
  EXPECT_EQ(memory.at(0, AnswerBatch::kStartedMs), 7);
  EXPECT_EQ(memory.at(0, AnswerBatch::kLaneMs), 0.25);
  EXPECT_EQ(memory.at(0, AnswerBatch::kOffset), 0);
  EXPECT_EQ(memory.at(0, AnswerBatch::kEncryptedLength), 32);
  EXPECT_EQ(memory.at(0, AnswerBatch::kSecretLength), 20);
  EXPECT_EQ(memory.bytes[0], 9);
  EXPECT_EQ(memory.bytes[12], 0x11);
  EXPECT_EQ(memory.bytes[31], 0x11);
  EXPECT_EQ(memory.bytes[32], 0x22);
  EXPECT_EQ(memory.bytes[51], 0x22);
}

TEST(AnswerBatch, KeepsTheOrderAndPlacesBytesBehindOneAnother) {
  Memory memory;
  AnswerBatch batch(memory.numbers, memory.bytes);
  ASSERT_TRUE(batch.add(1, encrypted(4)));
  ASSERT_TRUE(batch.add(2, secret(0)));
  ASSERT_TRUE(batch.add(3, secret(8)));
  ASSERT_EQ(batch.size(), 3U);
  for (size_t row = 0; row < 3; ++row)
    EXPECT_EQ(memory.at(row, AnswerBatch::kTicket), static_cast<double>(row + 1));
  EXPECT_EQ(memory.at(1, AnswerBatch::kOffset), 16);
  EXPECT_EQ(memory.at(2, AnswerBatch::kOffset), 16);
}

TEST(AnswerBatch, IsFullByRowsOrByBytesAndThenUnchanged) {
  Memory memory;
  AnswerBatch batch(memory.numbers, memory.bytes);
  for (uint64_t ticket = 0; ticket < kRows; ++ticket) ASSERT_TRUE(batch.add(ticket, secret(1)));
  EXPECT_FALSE(batch.add(9, secret(1)));
  EXPECT_EQ(batch.size(), kRows);
  batch.clear();
  ASSERT_TRUE(batch.add(1, secret(100)));
  EXPECT_FALSE(batch.add(2, secret(29)));
  EXPECT_TRUE(batch.add(3, secret(28)));
  EXPECT_EQ(batch.size(), 2U);
}

TEST(AnswerBatch, SaysHowLongAnAnswerIsThatNeverFits) {
  Memory memory;
  AnswerBatch batch(memory.numbers, memory.bytes);
  EXPECT_FALSE(batch.add(1, dataKey(100)));
  EXPECT_EQ(batch.size(), 0U);
  EXPECT_EQ(AnswerBatch::lengthOf(dataKey(100)), 12U + 100U + 100U);
}

TEST(AnswerBatch, ZeroesSecretsWhenTheyHaveBeenRead) {
  Memory memory;
  {
    AnswerBatch batch(memory.numbers, memory.bytes);
    ASSERT_TRUE(batch.add(1, secret(16)));
    batch.clear();
    EXPECT_TRUE(memory.isZero());
    EXPECT_EQ(batch.size(), 0U);
    ASSERT_TRUE(batch.add(2, dataKey(16)));
  }
  EXPECT_TRUE(memory.isZero()) << "also if nobody has read them";
}

}  // namespace
}  // namespace holdfast
