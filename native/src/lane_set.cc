#include "lane_set.h"

#include <algorithm>
#include <iterator>

namespace holdfast {
namespace {

size_t countOf(const std::vector<std::shared_ptr<Lane>>& lanes, auto predicate) {
  return static_cast<size_t>(std::ranges::count_if(lanes, predicate));
}

void removeFrom(std::vector<std::shared_ptr<Lane>>& lanes, const Lane& lane) {
  std::erase_if(lanes, [&lane](const auto& known) { return known.get() == &lane; });
}

}  // namespace

bool LaneSet::isDeserted() const { return active_.empty() && quarantined_.empty() && retired_.empty(); }

size_t LaneSet::ready() const {
  return countOf(active_, [](const auto& lane) REQUIRES(poolState) { return lane->isReady(); });
}

size_t LaneSet::running() const {
  return countOf(active_,
                 [](const auto& lane) REQUIRES(poolState) { return lane->place.current != nullptr; });
}

size_t LaneSet::inside() const {
  return active_.size() - idle_.size() + quarantined_.size() + retired_.size();
}

Lane* LaneSet::leastNeeded() const {
  const auto isOpening = [](const auto& lane) REQUIRES(poolState) { return !lane->isReady(); };
  const auto found = std::ranges::find_if(active_, isOpening);
  if (found != active_.end()) return found->get();
  return idle_.empty() ? nullptr : idle_.front();
}

void LaneSet::opened(Lane& lane) { laneTransitions.advance(lane.place.state, LaneEvent::kOpen); }

void LaneSet::rest(Lane& lane) {
  laneTransitions.advance(lane.place.state, LaneEvent::kRest);
  idle_.push_back(&lane);
}

void LaneSet::wake(Lane& lane) {
  laneTransitions.advance(lane.place.state, LaneEvent::kWake);
  std::erase(idle_, &lane);
  lane.place.wake.notifyOne();
}

void LaneSet::quarantine(Lane& lane) {
  laneTransitions.advance(lane.place.state, LaneEvent::kHang);
  lane.place.current.reset();
  quarantined_.push_back(lane.shared_from_this());
  removeFrom(active_, lane);
}

void LaneSet::retire(Lane& lane) {
  laneTransitions.advance(lane.place.state, LaneEvent::kRetire);
  std::erase(idle_, &lane);
  retired_.push_back(lane.shared_from_this());
  removeFrom(active_, lane);
  lane.place.wake.notifyOne();
}

void LaneSet::retireAll() {
  idle_.clear();
  for (auto* const lanes : {&active_, &quarantined_}) {
    for (const auto& lane : *lanes) {
      laneTransitions.advance(lane->place.state, LaneEvent::kRetire);
      lane->place.wake.notifyOne();
    }
    std::ranges::move(*lanes, std::back_inserter(retired_));
    lanes->clear();
  }
}

LaneState LaneSet::end(Lane& lane) {
  const auto before = lane.place.state;
  laneTransitions.advance(lane.place.state, LaneEvent::kEnd);
  for (auto* const lanes : {&active_, &quarantined_, &retired_}) removeFrom(*lanes, lane);
  return before;
}

void LaneSet::notifyAll() {
  for (const auto& lane : active_) lane->place.wake.notifyOne();
}

}  // namespace holdfast
