#include <algorithm>
#include <system_error>
#include <utility>

#include "dispatcher.h"
#include "return_values.h"

namespace holdfast {
namespace {

/// Whether the lane ends because there are too many. A closing member drains its queue with the lanes that it
/// has.
bool endsAsSurplus(const Member& member) REQUIRES(poolState) {
  return member.hasSurplus() && !member.isClosing();
}

/// The lanes with which a member starts: one that hangs does not stop it.
constexpr int kFirstLanes = 2;

}  // namespace

// ---- called by lanes ----

std::shared_ptr<Epoch> Dispatcher::epochFor(Lane& lane) {
  const PoolLock lock(members_->mutex);
  const Member& member = members_->of(lane);
  if (!member.epoch || member.token.get() != lane.token())
    throw failure(FailureKind::kNoMember, "the member was opened again, or closed");
  lane.place.epoch = member.epoch->number;
  return member.epoch;
}

RequestPointer Dispatcher::next(Lane& lane) {
  PoolLock lock(members_->mutex);
  auto& place = lane.place;
  Member& member = members_->of(lane);
  if (isLeaving(place.state)) return nullptr;
  if (place.state == LaneState::kOpening) {
    LaneSet::opened(lane);
    endOpening(lane);
    members_->changed.notifyAll();
    grow(member);
  }
  if (endsAsSurplus(member)) {
    retire(member, lane);
    return nullptr;
  }
  place.current = take(member);
  if (place.current) return place.current;
  if (member.isClosing()) return nullptr;
  member.lanes.rest(lane);
  members_->changed.notifyAll();
  place.wake.wait(lock, [&place, &member]() REQUIRES(poolState) {
    return place.state != LaneState::kIdle || member.isClosing();
  });
  // Woken under the same lock: a lane that leaves without work must not be given any on its way out.
  if (place.state == LaneState::kIdle) member.lanes.wake(lane);
  return place.current;
}

RequestPointer Dispatcher::finish(Lane& lane, RequestPointer request, Outcome outcome) {
  watchdog_->unwatch(request->deadline, request);
  const auto busy = Clock::now() - lane.started();
  RequestPointer following;
  size_t waiting = 0;
  {
    // Done before the answer, whose receiver must see the lane at rest or at work on the next request.
    const PoolLock lock(members_->mutex);
    unwatch(request);
    Member& member = members_->of(lane);
    member.busy += busy;
    if (std::holds_alternative<Success>(outcome)) ++member.operations;
    const bool speaksForIt = !isLeaving(lane.place.state) && std::holds_alternative<Success>(outcome);
    if (speaksForIt && member.state == MemberState::kSuspected) {
      memberTransitions.advance(member.state, MemberEvent::kSucceed);
      wakeIdle(member);
    }
    const bool ends = isLeaving(lane.place.state) || endsAsSurplus(member);
    if (!ends) following = take(member);
    lane.place.current = following;
    waiting = requests_.size();
  }
  const bool hold = following != nullptr && lane.mayHold(waiting);
  request->completion->complete(std::move(outcome), hold ? Urgency::kSoon : Urgency::kNow);
  if (following) return following;
  // A lane may rest for long, and must not keep its last request and the plaintext in it.
  request.reset();
  return next(lane);
}

bool Dispatcher::laneFailed(Lane& lane, Failure failure) {
  const PoolLock lock(members_->mutex);
  Member& member = members_->of(lane);
  // The lane was quarantined or retired while it opened, so its failure no longer matters.
  if (isLeaving(lane.place.state)) return false;
  endOpening(lane);
  if (returnValue(failure.rv).sessionsExhausted) {
    if (member.lanes.size() > 1) {
      retire(member, lane);
      shrink(member);
      return false;
    }
    if (member.served) return true;
  }
  member.laneFailure = std::move(failure);
  return false;
}

bool Dispatcher::requeue(Lane& lane, const RequestPointer& request) {
  const PoolLock lock(members_->mutex);
  Member& member = members_->of(lane);
  const bool alone = member.lanes.size() < 2;
  if (isLeaving(lane.place.state) || member.isClosing() || alone) return false;
  unwatch(request);
  // The next lane may still be asleep at the request's deadline. Then the watchdog must not take it for a
  // lane that hangs.
  request->insideSince = kNotInside;
  lane.place.current.reset();
  retire(member, lane);
  shrink(member);
  requests_.pushFront(request);
  // Wakes the lanes of other members too: nothing else might wake them before the request's deadline.
  for (const auto& each : members_->all()) wakeIdle(*each);
  refuseUnserved();
  return true;
}

void Dispatcher::laneEnded(Lane& lane) {
  const PoolLock lock(members_->mutex);
  Member& member = members_->of(lane);
  const auto before = member.lanes.end(lane);
  if (before == LaneState::kQuarantined) {
    replaceHanging(member);
  } else if (before != LaneState::kRetired && member.lanes.isEmpty()) {
    refuseNamed(member, member.isClosing() ? FailureKind::kClosed : FailureKind::kNoMember,
                "the member has no lane");
    refuseUnserved();
  }
  members_->changed.notifyAll();
}

// ---- lanes that start, hang and end ----

void Dispatcher::addLane(Member& member) {
  if (!member.token || static_cast<int>(member.lanes.size()) >= member.budget.target()) return;
  auto lane =
      std::make_shared<Lane>(shared_from_this(), member.index, member.token, member.epoch, member.opening);
  try {
    lane->place.epoch = member.epoch->number;
    lane->start(watchdog_->threads());
    if (operationTimeout_ > Clock::duration::zero()) {
      lane->place.opensUntil = Clock::now() + operationTimeout_;
      watchdog_->watch(*lane->place.opensUntil, lane);
    }
    member.lanes.add(std::move(lane));
  } catch (const std::system_error& error) {
    member.laneFailure = rvFailure(Function::kNone, CKR_HOST_MEMORY);
    member.laneFailure->detail = error.what();
  }
}

void Dispatcher::endOpening(Lane& lane) {
  if (lane.place.opensUntil)
    watchdog_->unwatch(*std::exchange(lane.place.opensUntil, {}), lane.shared_from_this());
}

/// Quarantines a lane that hangs while it opens. No request hangs with it, so the member is not suspected:
/// its open lanes show whether it is well.
void Dispatcher::expireOpening(Lane& lane) {
  const PoolLock lock(members_->mutex);
  if (lane.place.state != LaneState::kOpening) return;
  Member& member = members_->of(lane);
  setAside(member, lane);
  if (member.lanes.isEmpty()) {
    refuseNamed(member, FailureKind::kNoMember, "no lane of the member opens");
    refuseUnserved();
  }
  members_->changed.notifyAll();
}

/// Opens one lane at a time, to learn how many sessions the token has.
void Dispatcher::grow(Member& member) {
  const auto lanes = static_cast<int>(member.lanes.size());
  const bool wanted =
      requests_.size() > 0 && member.lanes.areAllReady() && member.takesNamedWork() && member.mayReplace();
  if (wanted && member.budget.mayGrow(lanes, Clock::now())) addLane(member);
}

void Dispatcher::retire(Member& member, Lane& lane) {
  member.lanes.retire(lane);
  members_->changed.notifyAll();
}

/// The token has no session for more lanes than are ready. Lanes that are still opening will get no session
/// either. Of the others, idle lanes end now, and busy ones after their request.
void Dispatcher::shrink(Member& member) {
  member.budget.refused(static_cast<int>(member.lanes.ready()), Clock::now());
  while (member.hasSurplus()) {
    Lane* const lane = member.lanes.leastNeeded();
    if (lane == nullptr) return;
    retire(member, *lane);
  }
}

bool Dispatcher::makeRoom(int index, Deadline deadline) {
  PoolLock lock(members_->mutex);
  Member& member = members_->at(index);
  const auto ending = member.lanes.retired();
  if (member.lanes.ready() < 2) return false;
  shrink(member);
  return members_->changed.waitUntil(lock, deadline, [&member, ending]() REQUIRES(poolState) {
    return !member.hasSurplus() && member.lanes.retired() <= ending;
  });
}

void Dispatcher::setAside(Member& member, Lane& lane) {
  member.lanes.quarantine(lane);
  replaceHanging(member);
}

/// Replaces a hanging lane, within the bound. A closing member needs no more lanes.
void Dispatcher::replaceHanging(Member& member) {
  if (!member.mayReplace()) return;
  member.exhausted = false;
  if (!member.isClosing()) addLane(member);
}

void Dispatcher::quarantine(Lane& lane) {
  Member& member = members_->of(lane);
  setAside(member, lane);
  // Suspected at once, without waiting for JavaScript: otherwise waiting requests would hang one replacement
  // after the other.
  memberTransitions.advance(member.state, MemberEvent::kHang);
  refuseUnserved();
  if (!member.mayReplace()) {
    member.exhausted = true;
    refuseNamed(member, FailureKind::kNoMember, "too many lanes of the member hang");
    refuseUnserved();
  }
  members_->changed.notifyAll();
}

void Dispatcher::startLanes(int index, std::shared_ptr<Epoch> epoch, Deadline deadline) {
  PoolLock lock(members_->mutex);
  Member& member = members_->at(index);
  if (!member.token) throw failure(FailureKind::kNoMember, "the member is not open");
  member.epoch = std::move(epoch);
  member.laneFailure.reset();
  member.served = false;
  member.budget.reset(member.limits.laneCount);
  const int first = std::min(kFirstLanes, member.limits.laneCount);
  while (static_cast<int>(member.lanes.size()) < first && !member.laneFailure) addLane(member);
  const auto settled = [&member]() REQUIRES(poolState) {
    return member.laneFailure || member.isClosing() || member.lanes.areAllReady();
  };
  if (!members_->changed.waitUntil(lock, deadline, settled))
    throw failure(FailureKind::kLaneDeadline, "a lane did not open");
  if (member.laneFailure) throw Failure(*member.laneFailure);
  if (member.isClosing()) throw failure(FailureKind::kClosed, "the member was closed");
  if (member.lanes.isEmpty()) throw failure(FailureKind::kLaneDeadline, "no lane opened");
  member.served = true;
}

}  // namespace holdfast
