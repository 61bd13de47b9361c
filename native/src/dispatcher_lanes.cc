#include <algorithm>
#include <system_error>
#include <utility>

#include "dispatcher.h"
#include "return_values.h"

namespace holdfast {
namespace {

/// A member that closes drains its queue with the lanes that it has.
bool endsAsSurplus(const Member& member) REQUIRES(poolState) {
  return member.hasSurplus() && !member.isClosing();
}

/// Lanes with which a member starts: one that hangs does not stop it.
constexpr int kFirstLanes = 2;

}  // namespace

// ---- called by lanes ----

RequestPointer Dispatcher::next(Lane& lane) {
  Lock lock(mutex_);
  auto& place = lane.place;
  Member& member = memberOf(lane);
  if (isLeaving(place.state)) return nullptr;
  if (place.state == LaneState::kOpening) {
    LaneSet::opened(lane);
    endOpening(lane);
    changed_.notifyAll();
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
  changed_.notifyAll();
  place.wake.wait(lock, [&place, &member]() REQUIRES(poolState) {
    return place.state != LaneState::kIdle || member.isClosing();
  });
  // Under the same lock: a lane that leaves without work must not be given any on its way out.
  if (place.state == LaneState::kIdle) member.lanes.wake(lane);
  return place.current;
}

RequestPointer Dispatcher::finish(Lane& lane, RequestPointer request, Outcome outcome) {
  watchdog_->unwatch(request->deadline, request);
  RequestPointer following;
  size_t waiting = 0;
  {
    // First, so that whoever sees the answer also sees the lane at rest or at work on the next one.
    const Lock lock(mutex_);
    unwatch(request);
    Member& member = memberOf(lane);
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
  // A lane may rest for long: what it did last, and the plaintext in it, must not rest with it.
  request.reset();
  return next(lane);
}

bool Dispatcher::laneFailed(Lane& lane, Failure failure) {
  const Lock lock(mutex_);
  Member& member = memberOf(lane);
  // Given up while it was opening: what became of it is of no interest.
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
  const Lock lock(mutex_);
  Member& member = memberOf(lane);
  const bool alone = member.lanes.size() < 2;
  if (isLeaving(lane.place.state) || member.isClosing() || alone) return false;
  unwatch(request);
  // Who is given it next may not be awake at its deadline, and hangs nowhere.
  request->insideSince = kNotInside;
  lane.place.current.reset();
  retire(member, lane);
  shrink(member);
  requests_.pushFront(request);
  // Also those of other members: nothing else may wake them before its deadline.
  for (const auto& each : members_) wakeIdle(*each);
  refuseUnserved();
  return true;
}

void Dispatcher::laneEnded(Lane& lane) {
  const Lock lock(mutex_);
  Member& member = memberOf(lane);
  const auto before = member.lanes.end(lane);
  if (before == LaneState::kQuarantined) {
    replaceHanging(member);
  } else if (before != LaneState::kRetired && member.lanes.isEmpty()) {
    requests_.refuseNamed(member.index, member.isClosing() ? FailureKind::kClosed : FailureKind::kNoMember,
                          "the member has no lane");
    refuseUnserved();
  }
  changed_.notifyAll();
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

/// No request hangs with it, so the member is not suspected: those that run speak for it.
void Dispatcher::expireOpening(Lane& lane) {
  const Lock lock(mutex_);
  if (lane.place.state != LaneState::kOpening) return;
  Member& member = memberOf(lane);
  setAside(member, lane);
  if (member.lanes.isEmpty()) {
    requests_.refuseNamed(member.index, FailureKind::kNoMember, "no lane of the member opens");
    refuseUnserved();
  }
  changed_.notifyAll();
}

/// The request waits because no lane is idle: another may open for it, on the member that has the fewest.
void Dispatcher::growFor(const Request& request) {
  Member* smallest = nullptr;
  for (const auto& member : members_) {
    const bool takes = member->takes(request.members);
    if (takes && (smallest == nullptr || member->lanes.size() < smallest->lanes.size()))
      smallest = member.get();
  }
  if (smallest != nullptr) grow(*smallest);
}

/// One after the other, so that it is known how many the token had sessions for.
void Dispatcher::grow(Member& member) {
  const auto lanes = static_cast<int>(member.lanes.size());
  const bool wanted =
      requests_.size() > 0 && member.lanes.areAllReady() && member.takesNamedWork() && member.mayReplace();
  if (wanted && member.budget.mayGrow(lanes, Clock::now())) addLane(member);
}

void Dispatcher::retire(Member& member, Lane& lane) {
  member.lanes.retire(lane);
  changed_.notifyAll();
}

/// The token has no session for more lanes than are ready. Those that are opening will find none either; of
/// the others, who rests ends now, and who works after that.
void Dispatcher::shrink(Member& member) {
  member.budget.refused(static_cast<int>(member.lanes.ready()), Clock::now());
  while (member.hasSurplus()) {
    Lane* const lane = member.lanes.leastNeeded();
    if (lane == nullptr) return;
    retire(member, *lane);
  }
}

bool Dispatcher::makeRoom(int index, Deadline deadline) {
  Lock lock(mutex_);
  Member& member = memberAt(index);
  const auto ending = member.lanes.retired();
  if (member.lanes.ready() < 2) return false;
  shrink(member);
  return changed_.waitUntil(lock, deadline, [&member, ending]() REQUIRES(poolState) {
    return !member.hasSurplus() && member.lanes.retired() <= ending;
  });
}

void Dispatcher::setAside(Member& member, Lane& lane) {
  member.lanes.quarantine(lane);
  replaceHanging(member);
}

/// Within the bound. A member that closes needs no more lanes.
void Dispatcher::replaceHanging(Member& member) {
  if (!member.mayReplace()) return;
  member.exhausted = false;
  if (!member.isClosing()) addLane(member);
}

void Dispatcher::quarantine(Lane& lane) {
  Member& member = memberOf(lane);
  setAside(member, lane);
  // At once, and not when JavaScript has heard of it: its queue would hang one replacement after the other.
  memberTransitions.advance(member.state, MemberEvent::kHang);
  refuseUnserved();
  if (!member.mayReplace()) {
    member.exhausted = true;
    requests_.refuseNamed(member.index, FailureKind::kNoMember, "too many lanes of the member hang");
    refuseUnserved();
  }
  changed_.notifyAll();
}

void Dispatcher::wakeIdle(Member& member) {
  while (Lane* const lane = member.lanes.nextIdle()) {
    const auto request = take(member);
    if (!request) return;
    assign(*lane, request);
  }
}

void Dispatcher::startLanes(int index, std::shared_ptr<Epoch> epoch, Deadline deadline) {
  Lock lock(mutex_);
  Member& member = memberAt(index);
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
  if (!changed_.waitUntil(lock, deadline, settled))
    throw failure(FailureKind::kLaneDeadline, "a lane did not open");
  if (member.laneFailure) throw Failure(*member.laneFailure);
  if (member.isClosing()) throw failure(FailureKind::kClosed, "the member was closed");
  if (member.lanes.isEmpty()) throw failure(FailureKind::kLaneDeadline, "no lane opened");
  member.served = true;
}

}  // namespace holdfast
