#include "lane_budget.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

class LaneBudgetTest : public ::testing::Test {
 protected:
  LaneBudgetTest() { budget_.reset(8); }

  bool mayGrow(int lanes, std::chrono::seconds after = std::chrono::seconds(0)) {
    return budget_.mayGrow(lanes, start_ + after);
  }

  LaneBudget budget_;
  const Clock::time_point start_ = Clock::now();
};

TEST_F(LaneBudgetTest, IsTheLimitWhileTheTokenHasSessions) {
  EXPECT_EQ(budget_.target(), 8);
  EXPECT_TRUE(mayGrow(7));
  EXPECT_FALSE(mayGrow(8));
  EXPECT_FALSE(mayGrow(8, std::chrono::hours(1)));
}

TEST_F(LaneBudgetTest, LeavesOneSessionIfTheTokenIsFull) {
  budget_.refused(5, start_);
  EXPECT_EQ(budget_.target(), 4);
  EXPECT_FALSE(mayGrow(4));
  EXPECT_TRUE(mayGrow(3));
}

TEST_F(LaneBudgetTest, IsNeverLessThanOne) {
  budget_.refused(1, start_);
  budget_.refused(0, start_);
  EXPECT_EQ(budget_.target(), 1);
}

TEST_F(LaneBudgetTest, TriesOneMoreAfterAWhileAndWaitsLongerEachTime) {
  budget_.refused(5, start_);
  EXPECT_FALSE(mayGrow(4, LaneBudget::kFirstWait - std::chrono::seconds(1)));
  EXPECT_TRUE(mayGrow(4, LaneBudget::kFirstWait));
  EXPECT_EQ(budget_.target(), 5);
  EXPECT_FALSE(mayGrow(5, LaneBudget::kFirstWait));
  budget_.refused(4, start_ + LaneBudget::kFirstWait);
  EXPECT_EQ(budget_.target(), 3);
  EXPECT_FALSE(mayGrow(3, 2 * LaneBudget::kFirstWait));
  EXPECT_TRUE(mayGrow(3, 3 * LaneBudget::kFirstWait));
  for (int i = 0; i < 20; ++i) budget_.refused(3, start_);
  EXPECT_FALSE(mayGrow(2, LaneBudget::kLongestWait - std::chrono::seconds(1)));
  EXPECT_TRUE(mayGrow(2, LaneBudget::kLongestWait));
}

TEST_F(LaneBudgetTest, StartsAnewWithALogin) {
  budget_.refused(3, start_);
  budget_.reset(6);
  EXPECT_EQ(budget_.target(), 6);
}

}  // namespace
}  // namespace holdfast
