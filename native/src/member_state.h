/// \file The states of a member.
#pragma once

#include <cstdint>

#include "transitions.h"

namespace holdfast {

enum class MemberState : uint8_t {
  /// Runs only requests that name it.
  kSuspended,
  kAdmitted,
  /// Admitted, but a call hangs and none has succeeded since. Takes no shared work until a call succeeds or
  /// the member is resumed.
  kSuspected,
  /// Takes no new work. Its lanes end when they have done the requests that name it.
  kClosing,
  /// Was admitted, and closes with the pool: its lanes also do the shared work that waits.
  kDraining,
};

enum class MemberEvent : uint8_t {
  kResume,
  /// The member is suspended or opened again.
  kSuspend,
  kHang,
  /// A call succeeded, on a lane that is not leaving.
  kSucceed,
  kClose,
  kClosePool,
};

using MemberTransitions = TransitionTable<MemberState, MemberEvent, 5, 6>;
extern const MemberTransitions memberTransitions;

constexpr bool isClosing(MemberState state) { return state >= MemberState::kClosing; }

}  // namespace holdfast
