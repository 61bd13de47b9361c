/// \file The states of a lane.
#pragma once

#include <cstdint>

#include "transitions.h"

namespace holdfast {

enum class LaneState : uint8_t {
  /// Opens its first session.
  kOpening,
  /// Runs a request, or looks for the next one.
  kWorking,
  kIdle,
  /// The lane hangs in the module, and another lane took its place. It ends when its call returns.
  kQuarantined,
  /// Its member was opened again without it, or has more lanes than the token has sessions for. It ends after
  /// the call that it is in.
  kRetired,
  kEnded,
};

enum class LaneEvent : uint8_t {
  /// Its first session is open, or it goes on without one.
  kOpen,
  kRest,
  /// It has a request, or its member closes.
  kWake,
  kHang,
  kRetire,
  kEnd,
};

using LaneTransitions = TransitionTable<LaneState, LaneEvent, 6, 6>;
extern const LaneTransitions laneTransitions;

/// Whether the lane takes no more requests.
constexpr bool isLeaving(LaneState state) { return state >= LaneState::kQuarantined; }

}  // namespace holdfast
