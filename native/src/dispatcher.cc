#include "dispatcher.h"

#include <algorithm>
#include <system_error>
#include <utility>

namespace holdfast {
namespace {

/// A call that has only this part of the operation timeout left counts as hung.
constexpr int kTimeoutTolerance = 10;

Failure cancelled() { return failure(FailureKind::kCancelled, "the caller gave it up"); }

MemberStatistics describe(const Member& member, const RequestQueue& requests) REQUIRES(poolState) {
  MemberStatistics described;
  described.member = member.index;
  described.epoch = member.epoch ? member.epoch->number : 0;
  described.admitted = member.takesSharedWork();
  described.lanes = static_cast<int>(member.lanes.ready());
  described.laneTarget = member.budget.target();
  described.quarantinedLanes = static_cast<int>(member.lanes.quarantined());
  described.queued = static_cast<int>(requests.sizeFor(member.index, described.admitted));
  described.running = static_cast<int>(member.lanes.running());
  described.logins = member.formerLogins + (member.token ? member.token->logins() : 0);
  described.cachedHandles = member.epoch ? member.epoch->cache.size() : 0;
  described.openings = member.openings->alive();
  described.threadsInside = member.threadsInside();
  return described;
}

}  // namespace

void Request::onDeadline() {
  const auto dispatcher = dispatcher_.lock();
  if (dispatcher) dispatcher->expire(shared_from_this());
}

Dispatcher::Dispatcher(size_t queueLimit, std::shared_ptr<Watchdog> watchdog)
    : watchdog_(std::move(watchdog)), requests_(queueLimit, watchdog_) {}

void Dispatcher::setOperationTimeout(Clock::duration timeout, OnHung onHung) {
  const Lock lock(mutex_);
  if (closed_) throw failure(FailureKind::kClosed, "the pool is closed");
  operationTimeout_ = timeout;
  onHung_ = std::move(onHung);
}

// ---- members ----

Member& Dispatcher::memberOf(const Lane& lane) const { return *members_[static_cast<size_t>(lane.member())]; }

Member& Dispatcher::memberAt(int index) const {
  const bool known = index >= 0 && static_cast<size_t>(index) < members_.size();
  if (!known || closed_ || members_[static_cast<size_t>(index)]->isClosing()) {
    throw withMember(failure(FailureKind::kClosed, "the member is closed"), index);
  }
  return *members_[static_cast<size_t>(index)];
}

std::shared_ptr<Epoch> Dispatcher::epochOf(int index) const {
  const Lock lock(mutex_);
  return members_[static_cast<size_t>(index)]->epoch;
}

std::shared_ptr<Epoch> Dispatcher::epochFor(Lane& lane) {
  const Lock lock(mutex_);
  const Member& member = memberOf(lane);
  if (!member.epoch || member.token.get() != lane.token())
    throw failure(FailureKind::kNoMember, "the member was opened again, or closed");
  lane.place.epoch = member.epoch->number;
  return member.epoch;
}

void Dispatcher::setProfile(int index, Profile profile, int laneCount) {
  const Lock lock(mutex_);
  Member& member = memberAt(index);
  member.profile = profile;
  member.limits = {laneCount, laneCount};
}

Profile Dispatcher::profileOf(int index) const {
  const Lock lock(mutex_);
  return memberAt(index).profile;
}

void Dispatcher::suspend(int index) {
  const Lock lock(mutex_);
  memberTransitions.advance(memberAt(index).state, MemberEvent::kSuspend);
  refuseUnserved();
}

void Dispatcher::resume(int index) {
  const Lock lock(mutex_);
  Member& member = memberAt(index);
  memberTransitions.advance(member.state, MemberEvent::kResume);
  wakeIdle(member);
}

std::vector<MemberStatistics> Dispatcher::statistics() const {
  const Lock lock(mutex_);
  std::vector<MemberStatistics> all;
  for (const auto& member : members_) {
    if (!member->isClosing()) all.push_back(describe(*member, requests_));
  }
  return all;
}

// ---- requests ----

void Dispatcher::post(const RequestPointer& request) {
  // Watched first: once a lane has it, it may be done and unwatched at any moment.
  watchdog_->watch(request->deadline, request);
  const Lock lock(mutex_);
  try {
    if (closed_) throw failure(FailureKind::kClosed, "the pool is closed");
    if (!request->hasTimeToStart()) throw failure(FailureKind::kQueueDeadline, "posted too late to begin");
    const Members members = request->members;
    if (members.isNamed()) (void)memberAt(members.name());
    const auto takes = [members](const auto& member) REQUIRES(poolState) { return member->takes(members); };
    const bool served = std::ranges::any_of(members_, takes);
    if (!served) throw failure(FailureKind::kNoMember, "no member takes this work");
    if (Lane* const lane = idleLaneFor(*request)) return assign(*lane, request);
    requests_.push(request);
    growFor(*request);
  } catch (const Failure& failure) {
    requests_.refuse(request, failure);
  }
}

void Dispatcher::cancel(uint64_t ticket) {
  const Lock lock(mutex_);
  if (requests_.refuseTicket(ticket, cancelled())) return;
  const auto hasTicket = [ticket](const Request& request) { return request.completion->ticket() == ticket; };
  for (const auto& member : members_) {
    if (const Lane* const lane = member->lanes.runnerOf(hasTicket))
      lane->place.current->completion->complete(cancelled());
  }
}

Lane* Dispatcher::idleLaneFor(const Request& request) {
  if (request.members.isNamed()) return memberAt(request.members.name()).lanes.nextIdle();
  for (size_t step = 0; step < members_.size(); ++step) {
    const size_t index = (rotation_ + step) % members_.size();
    const Member& member = *members_[index];
    Lane* const lane = member.takes(request.members) ? member.lanes.nextIdle() : nullptr;
    if (lane == nullptr) continue;
    rotation_ = index + 1;
    return lane;
  }
  return nullptr;
}

void Dispatcher::assign(Lane& lane, const RequestPointer& request) {
  lane.place.current = request;
  memberOf(lane).lanes.wake(lane);
}

void Dispatcher::refuseUnserved() {
  // A pool that closes drains its queue through members that are closing.
  if (closed_) return;
  auto serving = Members::anyOf({});
  for (const auto& member : members_) {
    if (member->takesSharedWork()) serving.add(member->index);
  }
  requests_.refuseUnserved(serving, FailureKind::kNoMember, "the last admitted member was suspended");
}

RequestPointer Dispatcher::take(Member& member) {
  const bool shares = member.takesSharedWork() || member.state == MemberState::kDraining;
  return requests_.pop(member.index, shares);
}

bool Dispatcher::hasHungSince(Clock::time_point since) const {
  return Clock::now() - since >= operationTimeout_ - operationTimeout_ / kTimeoutTolerance;
}

/// The caller's deadline says nothing about the HSM (invariant 5): the lane has the operation timeout.
void Dispatcher::expireOn(Lane& lane, const RequestPointer& request, Member& member) {
  const auto since = request->insideSince.load();
  // A lane that waits for another lane comes back by itself; one that is inside the module may never do so.
  const bool inside = since != kNotInside;
  const bool hung = inside && hasHungSince(since);
  auto late = failure(hung     ? FailureKind::kLaneDeadline
                      : inside ? FailureKind::kOverdue
                               : FailureKind::kQueueDeadline,
                      "the deadline passed");
  late.member = member.index;
  // Not the member's own: it may have been opened again meanwhile, and the new epoch has nothing to do with
  // it.
  late.epoch = lane.place.epoch;
  // What makes or destroys a key is not repeated.
  late.isOfUse = request->operation->isRepeatable();
  const bool answered = request->completion->complete(late);
  if (lane.place.state == LaneState::kRetired || !inside) return;
  if (hung) {
    // Others make, destroy and find objects while this call hangs over one.
    if (auto* const token = member.token.get()) token->objects().expel(request->holder());
    quarantine(lane);
    if (!answered && onHung_) onHung_(std::move(late));
  } else {
    watchAgain(request, since + operationTimeout_);
  }
}

void Dispatcher::watchAgain(const RequestPointer& request, Deadline deadline) {
  request->watchedAgain = deadline;
  watchdog_->watch(deadline, request);
}

void Dispatcher::unwatch(const RequestPointer& request) {
  if (request->watchedAgain) watchdog_->unwatch(*std::exchange(request->watchedAgain, {}), request);
}

void Dispatcher::expire(const RequestPointer& request) {
  const Lock lock(mutex_);
  const auto isIt = [&request](const Request& running) { return &running == request.get(); };
  for (const auto& member : members_) {
    if (Lane* const lane = member->lanes.runnerOf(isIt)) return expireOn(*lane, request, *member);
  }
  const bool waited = requests_.remove(request);
  // Neither running nor queued. One that never began is answered all the same: whatever went wrong, no caller
  // waits past its deadline. One that did begin has its answer, or its lane is about to give it.
  if (!waited && request->insideSince.load() != kNotInside) return;
  requests_.refuse(request, failure(FailureKind::kQueueDeadline, "the deadline passed in the queue"));
}

}  // namespace holdfast
