/// \file The states of a member.
#pragma once

#include <cstdint>

#include "transitions.h"

namespace holdfast {

enum class MemberState : uint8_t {
  /// Runs only what is posted to it by name.
  kSuspended,
  kAdmitted,
  /// Admitted, but a call hangs and none has succeeded since. Until one does, or it is
  /// resumed, it takes no shared work.
  kSuspected,
  /// No new work; lanes end once they have done what was posted to it.
  kClosing,
  /// Closes with the pool, and was admitted: its lanes also do what waits for any member.
  kDraining,
};

enum class MemberEvent : uint8_t {
  kResume,
  /// Also when it is opened again.
  kSuspend,
  kHang,
  /// A call of a lane that does not leave.
  kSucceed,
  kClose,
  kClosePool,
};

using MemberTransitions = TransitionTable<MemberState, MemberEvent, 5, 6>;
extern const MemberTransitions memberTransitions;

constexpr bool isClosing(MemberState state) { return state >= MemberState::kClosing; }

}  // namespace holdfast
