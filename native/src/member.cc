#include "member.h"

#include <algorithm>

namespace holdfast {

bool Member::takes(Members members) const {
  return members.has(index) && (members.isNamed() ? takesNamedWork() : takesSharedWork());
}

bool Member::takesSharedWork() const { return state == MemberState::kAdmitted && takesNamedWork(); }

bool Member::takesNamedWork() const { return !isClosing() && !exhausted && !lanes.isEmpty(); }

bool Member::hasSurplus() const { return static_cast<int>(lanes.size()) > budget.target(); }

bool Member::mayReplace() const {
  return static_cast<int>(lanes.quarantined()) <= limits.maxQuarantinedLanes;
}

int Member::threadsInside() const {
  // An opening counts as one at least: one whose threads have all come back calls the module again at once.
  const int opening = std::max(threadsOpening - openersWaiting, std::min(threadsOpening, 1));
  const int inside = static_cast<int>(lanes.inside()) + tokenHolders + opening;
  const bool isToBeReleased = threadsReleasing > 0 || (isClosing() && (token || !lanes.isEmpty()));
  return inside == 0 && isToBeReleased ? 1 : inside;
}

}  // namespace holdfast
