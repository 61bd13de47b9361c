#include <algorithm>
#include <system_error>

#include "dispatcher.h"

namespace holdfast {
namespace {

bool removeLane(std::vector<std::shared_ptr<Lane>>& lanes, const Lane& lane) {
  return std::erase_if(lanes, [&lane](const auto& known) { return known.get() == &lane; }) > 0;
}

/// Threads that may be inside the module. A lane that rests is not, even if it has not ended yet.
int lanesInside(const Member& member) {
  const auto inside = [](const auto& lane) { return lane->place.current != nullptr || !lane->place.ready; };
  return static_cast<int>(std::ranges::count_if(member.lanes, inside) + std::ssize(member.quarantined) +
                          std::ssize(member.retired)) +
         member.visitors + member.openers;
}

bool isDeserted(const Member& member) {
  return member.lanes.empty() && member.quarantined.empty() && member.retired.empty() &&
         member.visitors == 0 && member.openers == 0;
}

}  // namespace

// ---- called by lanes ----

RequestPointer Dispatcher::next(Lane& lane) {
  Lock lock(mutex_);
  auto& place = lane.place;
  Member& member = *members_[static_cast<size_t>(lane.member())];
  if (place.quarantined || place.retired) return nullptr;
  if (!place.ready) changed_.notify_all();
  place.ready = true;
  place.current = take(member);
  if (place.current) return place.current;
  if (member.closing) return nullptr;
  place.idle = true;
  member.idle.push_back(&lane);
  changed_.notify_all();
  place.wake.wait(lock, [&place, &member] { return !place.idle || place.retired || member.closing; });
  return place.current;
}

RequestPointer Dispatcher::finish(Lane& lane, const RequestPointer& request, Outcome outcome) {
  watchdog_->unwatch(request->deadline, request);
  RequestPointer following;
  size_t waiting = 0;
  {
    // First, so that whoever sees the answer also sees the lane at rest or at work on the next one.
    const Lock lock(mutex_);
    if (!lane.place.quarantined && !lane.place.retired)
      following = take(*members_[static_cast<size_t>(lane.member())]);
    lane.place.current = following;
    waiting = queuedCount_;
  }
  const bool hold = following != nullptr && lane.mayHold(waiting);
  request->settlement->settle(std::move(outcome), hold ? Urgency::kSoon : Urgency::kNow);
  return following ? following : next(lane);
}

void Dispatcher::laneFailed(Lane& lane, Failure failure) {
  const Lock lock(mutex_);
  members_[static_cast<size_t>(lane.member())]->laneFailure = std::move(failure);
}

void Dispatcher::laneEnded(Lane& lane) {
  const Lock lock(mutex_);
  Member& member = *members_[static_cast<size_t>(lane.member())];
  std::erase(member.idle, &lane);
  removeLane(member.lanes, lane);
  if (removeLane(member.retired, lane)) {
    // Nothing of it is left to replace.
  } else if (removeLane(member.quarantined, lane)) {
    // The stuck call came back: there is room for a lane again.
    member.exhausted = false;
    if (!member.closing) addLane(member);
  } else if (member.lanes.empty()) {
    refuseAll(member.pinned, member.closing ? FailureKind::kClosed : FailureKind::kNoMember,
              "the member has no lane");
    refuseWhereNobodyServes();
  }
  changed_.notify_all();
}

// ---- lanes that start, hang and end ----

void Dispatcher::addLane(Member& member) {
  if (!member.token || std::ssize(member.lanes) >= member.limits.laneCount) return;
  auto lane =
      std::make_shared<Lane>(shared_from_this(), member.index, member.token, member.epoch, member.opening);
  try {
    lane->start(watchdog_->threads());
    member.lanes.push_back(std::move(lane));
  } catch (const std::system_error& error) {
    member.laneFailure = rvFailure("", CKR_HOST_MEMORY);
    member.laneFailure->detail = error.what();
  }
}

void Dispatcher::quarantine(Lane& lane) {
  Member& member = *members_[static_cast<size_t>(lane.member())];
  lane.place.quarantined = true;
  lane.place.current.reset();
  member.quarantined.push_back(lane.shared_from_this());
  removeLane(member.lanes, lane);
  if (std::ssize(member.quarantined) <= member.limits.maxQuarantinedLanes) {
    if (!member.closing) addLane(member);
  } else {
    member.exhausted = true;
    refuseAll(member.pinned, FailureKind::kNoMember, "too many lanes of the member hang");
    refuseWhereNobodyServes();
  }
  changed_.notify_all();
}

void Dispatcher::wakeIdle(Member& member) {
  while (!member.idle.empty()) {
    auto request = take(member);
    if (!request) return;
    assign(*popIdle(member), request);
  }
}

void Dispatcher::startLanes(int index, std::shared_ptr<Epoch> epoch, Deadline deadline) {
  Lock lock(mutex_);
  Member& member = memberAt(index);
  if (!member.token) throw failure(FailureKind::kNoMember, "the member is not open");
  member.epoch = std::move(epoch);
  member.laneFailure.reset();
  for (int i = 0; i < member.limits.laneCount; ++i) addLane(member);
  const auto settled = [&member] {
    const auto ready = [](const auto& lane) { return lane->place.ready; };
    return member.laneFailure || member.closing || std::ranges::all_of(member.lanes, ready);
  };
  if (!changed_.wait_until(lock, deadline, settled))
    throw failure(FailureKind::kLaneDeadline, "a lane did not open");
  if (member.laneFailure) throw Failure(*member.laneFailure);
  if (member.closing) throw failure(FailureKind::kClosed, "the member was closed");
}

// ---- closing ----

void Dispatcher::stop(Member& member) {
  member.closing = true;
  for (const auto& lane : member.lanes) lane->place.wake.notify_one();
}

void Dispatcher::beginClosing(int index) {
  const Lock lock(mutex_);
  Member& member = memberAt(index);
  member.admitted = false;
  stop(member);
  refuseWhereNobodyServes();
}

void Dispatcher::beginClosingAll() {
  const Lock lock(mutex_);
  closed_ = true;
  for (const auto& member : members_) stop(*member);
}

bool Dispatcher::isClosed() const {
  const Lock lock(mutex_);
  return closed_;
}

int Dispatcher::finishClosing(int index, Deadline deadline) {
  // Declared before the lock, so destroyed after it: the token's end may finalise the module.
  std::shared_ptr<Token> token;
  std::shared_ptr<Epoch> epoch;
  OpeningPointer opening;
  Lock lock(mutex_);
  Member& member = *members_[static_cast<size_t>(index)];
  changed_.wait_until(lock, deadline, [&member] { return isDeserted(member); });
  refuseAll(member.pinned, FailureKind::kClosed, "the member was closed");
  token = std::move(member.token);
  epoch = std::move(member.epoch);
  opening = std::move(member.opening);
  return lanesInside(member);
}

void Dispatcher::refuseWaiting() {
  const Lock lock(mutex_);
  for (const auto& member : members_) refuseAll(member->pinned, FailureKind::kClosed, "the pool was closed");
  refuseAll(shared_, FailureKind::kClosed, "the pool was closed");
}

int Dispatcher::busyLanes() const {
  const Lock lock(mutex_);
  int busy = 0;
  for (const auto& member : members_) busy += lanesInside(*member);
  return busy;
}

}  // namespace holdfast
