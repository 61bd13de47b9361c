/// \file The states of a lane: every cell of the table.
#include "lane_state.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>

namespace holdfast {
namespace {

using enum LaneState;

const std::map<std::pair<LaneState, LaneEvent>, LaneState> kAllowed{
    {{kOpening, LaneEvent::kOpen}, kWorking},       {{kOpening, LaneEvent::kHang}, kQuarantined},
    {{kOpening, LaneEvent::kRetire}, kRetired},     {{kOpening, LaneEvent::kEnd}, kEnded},
    {{kWorking, LaneEvent::kRest}, kIdle},          {{kWorking, LaneEvent::kHang}, kQuarantined},
    {{kWorking, LaneEvent::kRetire}, kRetired},     {{kWorking, LaneEvent::kEnd}, kEnded},
    {{kIdle, LaneEvent::kWake}, kWorking},          {{kIdle, LaneEvent::kRetire}, kRetired},
    {{kQuarantined, LaneEvent::kRetire}, kRetired}, {{kQuarantined, LaneEvent::kEnd}, kEnded},
    {{kRetired, LaneEvent::kEnd}, kEnded},
};

template <typename Visit>
void forEachCell(const Visit& visit) {
  for (size_t row = 0; row < laneTransitions.states.size(); ++row) {
    for (size_t column = 0; column < laneTransitions.events.size(); ++column) {
      SCOPED_TRACE(std::string(laneTransitions.states.at(row)) + " on " + laneTransitions.events.at(column));
      visit(static_cast<LaneState>(row), static_cast<LaneEvent>(column));
    }
  }
}

TEST(LaneState, ChangesOnlyAsTheTableSays) {
  forEachCell([](LaneState state, LaneEvent event) {
    const auto found = kAllowed.find({state, event});
    const auto expected = found == kAllowed.end() ? std::nullopt : std::optional(found->second);
    EXPECT_EQ(laneTransitions.next(state, event), expected);
  });
}

TEST(LaneState, ALaneThatLeavesNeverComesBack) {
  forEachCell([](LaneState state, LaneEvent event) {
    const auto next = laneTransitions.next(state, event);
    if (next && isLeaving(state)) {
      EXPECT_TRUE(isLeaving(*next));
    }
  });
}

TEST(LaneState, AnEventThatTheStateDoesNotAllowEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto state = kEnded;
  EXPECT_DEATH(laneTransitions.advance(state, LaneEvent::kEnd),
               "a lane that is ended does not allow the event \"end\"");
  state = kOpening;
  laneTransitions.advance(state, LaneEvent::kOpen);
  EXPECT_EQ(state, kWorking);
}

}  // namespace
}  // namespace holdfast
