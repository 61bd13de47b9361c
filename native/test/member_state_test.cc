/// \file The states of a member: every cell of the table.
#include "member_state.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>

namespace holdfast {
namespace {

using enum MemberState;

/// The cells that change the state.
const std::map<std::pair<MemberState, MemberEvent>, MemberState> kChanges{
    {{kSuspended, MemberEvent::kResume}, kAdmitted},   {{kSuspended, MemberEvent::kClose}, kClosing},
    {{kSuspended, MemberEvent::kClosePool}, kClosing}, {{kAdmitted, MemberEvent::kSuspend}, kSuspended},
    {{kAdmitted, MemberEvent::kHang}, kSuspected},     {{kAdmitted, MemberEvent::kClose}, kClosing},
    {{kAdmitted, MemberEvent::kClosePool}, kDraining}, {{kSuspected, MemberEvent::kResume}, kAdmitted},
    {{kSuspected, MemberEvent::kSuspend}, kSuspended}, {{kSuspected, MemberEvent::kSucceed}, kAdmitted},
    {{kSuspected, MemberEvent::kClose}, kClosing},     {{kSuspected, MemberEvent::kClosePool}, kDraining},
};

bool isCommand(MemberEvent event) {
  return event == MemberEvent::kResume || event == MemberEvent::kSuspend || event == MemberEvent::kClose;
}

std::optional<MemberState> expectedOf(MemberState state, MemberEvent event) {
  const auto found = kChanges.find({state, event});
  if (found != kChanges.end()) return found->second;
  if (isClosing(state) && isCommand(event)) return std::nullopt;
  return state;
}

TEST(MemberState, ChangesOnlyAsTheTableSays) {
  for (size_t row = 0; row < memberTransitions.states.size(); ++row) {
    for (size_t column = 0; column < memberTransitions.events.size(); ++column) {
      SCOPED_TRACE(std::string(memberTransitions.states.at(row)) + " on " +
                   memberTransitions.events.at(column));
      const auto state = static_cast<MemberState>(row);
      const auto event = static_cast<MemberEvent>(column);
      const auto next = memberTransitions.next(state, event);
      EXPECT_EQ(next, expectedOf(state, event));
      EXPECT_TRUE(!isClosing(state) || !next || next == state) << "a member that closes does not change";
    }
  }
}

}  // namespace
}  // namespace holdfast
