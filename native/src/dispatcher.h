/// \file Requests and the lanes that run them.
#pragma once

#include <functional>
#include <memory>

#include "member_table.h"
#include "request_queue.h"
#include "watchdog.h"

namespace holdfast {

/// A request goes to an idle lane of the next member that may run it. If none is idle it waits in one queue,
/// and the first lane to come free takes it. So nothing waits behind a lane that hangs.
class Dispatcher : public std::enable_shared_from_this<Dispatcher> {
 public:
  Dispatcher(size_t queueLimit, std::shared_ptr<MemberTable> members, std::shared_ptr<Watchdog> watchdog);

  /// Called with the failure of a call that hangs after its request was answered: kind `lane-deadline`. The
  /// pool's mutex is held.
  using OnHung = std::function<void(Failure)>;

  // For the pool and the binding.
  /// Sets how long a call may run, whatever its request's deadline, before its lane is quarantined. Until
  /// this is set, a call may run until its deadline. A lane may then take any time to open its first session,
  /// which has no deadline. Throws `closed`.
  void setOperationTimeout(Clock::duration timeout, OnHung onHung);
  void post(const RequestPointer& request);
  /// Answers the request of this ticket with `cancelled`, if it has no answer yet. A request that still waits
  /// never reaches the token. A running request goes on as an overdue one does.
  void cancel(uint64_t ticket);
  /// Begins an epoch with a few lanes and waits until they have opened; more open later when work waits. One
  /// open session is enough. Otherwise throws the failure of the first lane that could not open, or
  /// `lane-deadline`, or `closed`.
  void startLanes(int index, std::shared_ptr<Epoch> epoch, Deadline deadline);
  /// Ends a lane, which frees a session of the token, and waits for its end. False if no lane can be spared,
  /// or at the deadline. Throws `closed`.
  [[nodiscard]] bool makeRoom(int index, Deadline deadline);

  // For code that changes or closes members.
  /// Refuses the waiting requests that name this member.
  void refuseNamed(const Member& member, FailureKind kind, const char* detail) REQUIRES(poolState);
  /// Refuses the waiting requests that need an admitted member and have none left.
  void refuseUnserved() REQUIRES(poolState);
  void refuseAll(FailureKind kind, const char* detail) REQUIRES(poolState);
  /// How many waiting requests the member could take.
  [[nodiscard]] size_t waitingFor(const Member& member) const REQUIRES(poolState);
  /// Gives waiting requests to the member's idle lanes.
  void wakeIdle(Member& member) REQUIRES(poolState);

  // For lanes.
  /// The epoch in which the lane works now. Throws `no-member` if its member was opened again without it, or
  /// closed: the handles of later epochs are not for its token.
  [[nodiscard]] std::shared_ptr<Epoch> epochFor(Lane& lane);
  /// Waits for work; the first call says that the lane is ready. Null if the lane has to end.
  [[nodiscard]] RequestPointer next(Lane& lane);
  /// Answers the request, and returns the next one or waits for it as `next` does.
  [[nodiscard]] RequestPointer finish(Lane& lane, RequestPointer request, Outcome outcome);
  /// Notes that the lane's first session did not open. True if the lane goes on without one and tries again
  /// with its next request: it is then the last lane of a member whose token has no more sessions.
  [[nodiscard]] bool laneFailed(Lane& lane, Failure failure);
  /// Notes that the token has no session left for this lane. If the member has other lanes, puts the request
  /// back in the queue and returns true; then the lane has to end.
  [[nodiscard]] bool requeue(Lane& lane, const RequestPointer& request);
  void laneEnded(Lane& lane);

  // For the watchdog.
  void expire(const RequestPointer& request);
  /// Called when opening its first session has taken the lane the whole operation timeout.
  void expireOpening(Lane& lane);

 private:
  [[nodiscard]] RequestPointer take(Member& member) REQUIRES(poolState);
  void assign(Lane& lane, const RequestPointer& request) REQUIRES(poolState);
  void expireOn(Lane& lane, const RequestPointer& request) REQUIRES(poolState);
  [[nodiscard]] bool hasHungSince(Clock::time_point since) const REQUIRES(poolState);
  void watchAgain(const RequestPointer& request, Deadline deadline) REQUIRES(poolState);
  void unwatch(const RequestPointer& request) REQUIRES(poolState);

  void addLane(Member& member) REQUIRES(poolState);
  void endOpening(Lane& lane) REQUIRES(poolState);
  void grow(Member& member) REQUIRES(poolState);
  void shrink(Member& member) REQUIRES(poolState);
  void retire(Member& member, Lane& lane) REQUIRES(poolState);
  void quarantine(Lane& lane) REQUIRES(poolState);
  void setAside(Member& member, Lane& lane) REQUIRES(poolState);
  void replaceHanging(Member& member) REQUIRES(poolState);

  const std::shared_ptr<MemberTable> members_;
  const std::shared_ptr<Watchdog> watchdog_;
  RequestQueue requests_ GUARDED_BY(poolState);
  Clock::duration operationTimeout_ GUARDED_BY(poolState) = Clock::duration::zero();
  OnHung onHung_ GUARDED_BY(poolState);
};

}  // namespace holdfast
