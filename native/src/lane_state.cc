#include "lane_state.h"

namespace holdfast {
namespace {

using Next = std::optional<LaneState>;

constexpr Next kRefused = std::nullopt;
constexpr Next kWorking = LaneState::kWorking;
constexpr Next kIdle = LaneState::kIdle;
constexpr Next kQuarantined = LaneState::kQuarantined;
constexpr Next kRetired = LaneState::kRetired;
constexpr Next kEnded = LaneState::kEnded;

}  // namespace

// An idle lane neither hangs nor ends before it wakes. test/docs/drawings.test.ts reads the rows.
// clang-format off
constexpr LaneTransitions laneTransitions{
    "lane",
    {"opening", "working", "idle", "quarantined", "retired", "ended"},
    {"open", "rest", "wake", "hang", "retire", "end"},
    {{
        //                open      rest      wake      hang          retire    end
        /* opening     */ {kWorking, kRefused, kRefused, kQuarantined, kRetired, kEnded},
        /* working     */ {kRefused, kIdle,    kRefused, kQuarantined, kRetired, kEnded},
        /* idle        */ {kRefused, kRefused, kWorking, kRefused,     kRetired, kRefused},
        /* quarantined */ {kRefused, kRefused, kRefused, kRefused,     kRetired, kEnded},
        /* retired     */ {kRefused, kRefused, kRefused, kRefused,     kRefused, kEnded},
        /* ended       */ {kRefused, kRefused, kRefused, kRefused,     kRefused, kRefused},
    }}};
// clang-format on

}  // namespace holdfast
