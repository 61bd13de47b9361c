#include "dispatcher.h"

#include <utility>

namespace holdfast {
namespace {

/// If only this part of the operation timeout is left to a call, it counts as hung.
constexpr int kTimeoutTolerance = 10;

[[nodiscard]] Failure cancelled() { return failure(FailureKind::kCancelled, "the caller gave it up"); }

}  // namespace

void Request::onDeadline() {
  const auto dispatcher = dispatcher_.lock();
  if (dispatcher) dispatcher->expire(shared_from_this());
}

Dispatcher::Dispatcher(size_t queueLimit, std::shared_ptr<MemberTable> members,
                       std::shared_ptr<Watchdog> watchdog)
    : members_(std::move(members)), watchdog_(std::move(watchdog)), requests_(queueLimit, watchdog_) {}

void Dispatcher::setOperationTimeout(Clock::duration timeout, OnHung onHung) {
  const PoolLock lock(members_->mutex);
  if (members_->isClosed()) throw failure(FailureKind::kClosed, "the pool is closed");
  operationTimeout_ = timeout;
  onHung_ = std::move(onHung);
}

void Dispatcher::post(const RequestPointer& request) {
  // Watched first: once a lane has the request, it may be done and unwatched at any moment.
  watchdog_->watch(request->deadline, request);
  const PoolLock lock(members_->mutex);
  try {
    if (members_->isClosed()) throw failure(FailureKind::kClosed, "the pool is closed");
    if (!request->hasTimeToStart()) throw failure(FailureKind::kQueueDeadline, "posted too late to begin");
    const Members members = request->members;
    if (members.isNamed()) (void)members_->at(members.name());
    if (!members_->anyTakes(members)) throw failure(FailureKind::kNoMember, "no member takes this work");
    if (Lane* const lane = members_->nextIdleLane(members)) return assign(*lane, request);
    requests_.push(request, members_->all().size());
    // No lane is idle: another may open for it.
    if (Member* const smallest = members_->smallest(members)) grow(*smallest);
  } catch (const Failure& failure) {
    requests_.refuse(request, failure);
  }
}

void Dispatcher::cancel(uint64_t ticket) {
  const PoolLock lock(members_->mutex);
  if (requests_.refuseTicket(ticket, cancelled())) return;
  const auto hasTicket = [ticket](const Request& request) { return request.completion->ticket() == ticket; };
  if (const Lane* const lane = members_->runnerOf(hasTicket))
    lane->place.current->completion->complete(cancelled());
}

void Dispatcher::refuseNamed(const Member& member, FailureKind kind, const char* detail) {
  requests_.refuseNamed(member.index, kind, detail);
}

void Dispatcher::refuseUnserved() {
  // A pool that closes drains its queue through members that are closing.
  if (members_->isClosed()) return;
  requests_.refuseUnserved(members_->serving(), FailureKind::kNoMember,
                           "the last admitted member was suspended");
}

void Dispatcher::refuseAll(FailureKind kind, const char* detail) { requests_.refuseAll(kind, detail); }

size_t Dispatcher::waitingFor(const Member& member) const {
  return requests_.sizeFor(member.index, member.takesSharedWork());
}

void Dispatcher::wakeIdle(Member& member) {
  while (Lane* const lane = member.lanes.nextIdle()) {
    const auto request = take(member);
    if (!request) return;
    assign(*lane, request);
  }
}

RequestPointer Dispatcher::take(Member& member) {
  const bool takesShared = member.takesSharedWork() || member.state == MemberState::kDraining;
  return requests_.pop(member.index, takesShared);
}

void Dispatcher::assign(Lane& lane, const RequestPointer& request) {
  lane.place.current = request;
  members_->of(lane).lanes.wake(lane);
}

// ---- deadlines ----

void Dispatcher::expire(const RequestPointer& request) {
  const PoolLock lock(members_->mutex);
  const auto isIt = [&request](const Request& running) { return &running == request.get(); };
  if (Lane* const lane = members_->runnerOf(isIt)) return expireOn(*lane, request);
  const bool waited = requests_.remove(request);
  // The request is neither running nor queued. If it never began, it is answered all the same: whatever went
  // wrong, no caller waits past its deadline. If it did begin, it has its answer, or its lane is about to
  // give it.
  if (!waited && request->insideSince.load() != kNotInside) return;
  requests_.refuse(request, failure(FailureKind::kQueueDeadline, "the deadline passed in the queue"));
}

/// The caller's deadline says nothing about the HSM (invariant 5): the lane has the operation timeout.
void Dispatcher::expireOn(Lane& lane, const RequestPointer& request) {
  const auto since = request->insideSince.load();
  // A lane that waits for another lane comes back by itself; one that is inside the module may never do so.
  const bool inside = since != kNotInside;
  const bool hung = inside && hasHungSince(since);
  auto late = failure(hung     ? FailureKind::kLaneDeadline
                      : inside ? FailureKind::kOverdue
                               : FailureKind::kQueueDeadline,
                      "the deadline passed");
  late.member = lane.member();
  // The lane's epoch, not the member's: the member may have been opened again meanwhile, and the new epoch
  // has nothing to do with this call.
  late.epoch = lane.place.epoch;
  // An operation that makes or destroys a key is not repeated.
  late.isOfUse = request->operation->isRepeatable();
  const bool answered = request->completion->complete(late);
  if (lane.place.state == LaneState::kRetired || !inside) return;
  if (hung) {
    // Others may make, destroy and find objects while this call hangs over one.
    if (auto* const token = members_->of(lane).token.get()) token->objects().expel(request->holder());
    quarantine(lane);
    if (!answered && onHung_) onHung_(std::move(late));
  } else {
    watchAgain(request, since + operationTimeout_);
  }
}

bool Dispatcher::hasHungSince(Clock::time_point since) const {
  return Clock::now() - since >= operationTimeout_ - operationTimeout_ / kTimeoutTolerance;
}

void Dispatcher::watchAgain(const RequestPointer& request, Deadline deadline) {
  request->watchedAgain = deadline;
  watchdog_->watch(deadline, request);
}

void Dispatcher::unwatch(const RequestPointer& request) {
  if (request->watchedAgain) watchdog_->unwatch(*std::exchange(request->watchedAgain, {}), request);
}

}  // namespace holdfast
