/// \file The states of a member.
#pragma once

#include <cstdint>

#include "transitions.h"

namespace holdfast {

enum class MemberState : uint8_t {
  /// Runs only what names it.
  kSuspended,
  kAdmitted,
  /// Admitted, but a call hangs and none has succeeded since. It takes no shared work until one does, or
  /// until it
  /// is resumed.
  kSuspected,
  /// Takes no new work. Its lanes end when they have done what names it.
  kClosing,
  /// Closes with the pool, and was admitted: its lanes also do shared work that waits.
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
