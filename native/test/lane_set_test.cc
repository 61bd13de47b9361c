/// \file Which lane is next, which is needed least, and where lanes are kept until they end.
#include "lane_set.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

class LaneSetTest : public testing::Test {
 protected:
  /// A lane without a thread.
  Lane& add() REQUIRES(poolState) {
    made_.push_back(std::make_shared<Lane>(nullptr, 0, nullptr, nullptr, nullptr));
    lanes_.add(made_.back());
    return *made_.back();
  }
  Lane& addOpen() REQUIRES(poolState) {
    Lane& lane = add();
    LaneSet::opened(lane);
    return lane;
  }

  Mutex mutex_;
  LaneSet lanes_ GUARDED_BY(poolState);
  std::vector<std::shared_ptr<Lane>> made_ GUARDED_BY(poolState);
};

TEST_F(LaneSetTest, TheLastIdleLaneWorksNextAndTheFirstIsNeededLeast) {
  const PoolLock lock(mutex_);
  Lane& first = addOpen();
  Lane& second = addOpen();
  EXPECT_EQ(lanes_.nextIdle(), nullptr);
  EXPECT_EQ(lanes_.leastNeeded(), nullptr);
  lanes_.rest(first);
  lanes_.rest(second);
  EXPECT_EQ(lanes_.nextIdle(), &second);
  EXPECT_EQ(lanes_.leastNeeded(), &first);
  EXPECT_EQ(lanes_.inside(), 0U);
  Lane& opening = add();
  EXPECT_EQ(lanes_.leastNeeded(), &opening);
  EXPECT_EQ(lanes_.ready(), 2U);
  EXPECT_FALSE(lanes_.areAllReady());
  lanes_.wake(second);
  EXPECT_EQ(lanes_.nextIdle(), &first);
  EXPECT_EQ(lanes_.inside(), 2U);
}

TEST_F(LaneSetTest, ALeavingLaneIsKeptUntilItEnds) {
  const PoolLock lock(mutex_);
  Lane& hung = addOpen();
  Lane& resting = addOpen();
  Lane& working = addOpen();
  lanes_.rest(resting);
  lanes_.quarantine(hung);
  lanes_.retire(resting);
  EXPECT_EQ(lanes_.nextIdle(), nullptr);
  EXPECT_EQ(lanes_.size(), 1U);
  EXPECT_EQ(lanes_.quarantined(), 1U);
  EXPECT_EQ(lanes_.retired(), 1U);
  EXPECT_EQ(lanes_.inside(), 3U);
  EXPECT_EQ(lanes_.end(working), LaneState::kWorking);
  EXPECT_EQ(lanes_.end(hung), LaneState::kQuarantined);
  EXPECT_TRUE(lanes_.isEmpty());
  EXPECT_FALSE(lanes_.isDeserted());
  EXPECT_EQ(lanes_.end(resting), LaneState::kRetired);
  EXPECT_TRUE(lanes_.isDeserted());
}

TEST_F(LaneSetTest, AllRetireIncludingThoseThatHang) {
  const PoolLock lock(mutex_);
  Lane& hung = addOpen();
  Lane& resting = addOpen();
  lanes_.quarantine(hung);
  lanes_.rest(resting);
  lanes_.retireAll();
  EXPECT_EQ(lanes_.retired(), 2U);
  EXPECT_EQ(lanes_.nextIdle(), nullptr);
  EXPECT_EQ(lanes_.end(hung), LaneState::kRetired);
  EXPECT_EQ(lanes_.end(resting), LaneState::kRetired);
}

}  // namespace
}  // namespace holdfast
