#include "member.h"

#include <algorithm>

namespace holdfast {
namespace {

int countOf(const std::vector<std::shared_ptr<Lane>>& lanes, auto predicate) {
  return static_cast<int>(std::ranges::count_if(lanes, predicate));
}

}  // namespace

bool Member::takesSharedWork() const { return state == MemberState::kAdmitted && takesPinnedWork(); }

bool Member::takesPinnedWork() const { return !isClosing() && !exhausted && !lanes.empty(); }

int Member::readyLanes() const {
  return countOf(lanes, [](const auto& lane) REQUIRES(poolState) { return lane->isReady(); });
}

int Member::runningLanes() const {
  return countOf(lanes, [](const auto& lane) REQUIRES(poolState) { return lane->place.current != nullptr; });
}

bool Member::hasSurplus() const { return std::ssize(lanes) > budget.target(); }

bool Member::mayReplace() const { return std::ssize(quarantined) <= limits.maxQuarantinedLanes; }

int Member::threadsInside() const {
  const auto isBusy = [](const auto& lane)
                          REQUIRES(poolState) { return lane->place.state != LaneState::kIdle; };
  const auto hanging = static_cast<int>(std::ssize(quarantined) + std::ssize(retired));
  const int inside = countOf(lanes, isBusy) + hanging + tokenHolders + threadsOpening;
  const bool isToBeReleased = threadsReleasing > 0 || (isClosing() && (token || !lanes.empty()));
  return inside == 0 && isToBeReleased ? 1 : inside;
}

}  // namespace holdfast
