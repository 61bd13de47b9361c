/// \file Who runs what: the rotation over members, the lanes that start, hang and end.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "member.h"
#include "mutex.h"
#include "request_queue.h"
#include "watchdog.h"

namespace holdfast {

/// One mutex guards all of it; no PKCS#11 function is called while it is held. A request goes to an idle lane
/// of the next admitted member in rotation; where none is idle it waits in one queue, and the first lane to
/// come free takes it, so nothing waits behind a lane that hangs.
class Dispatcher : public std::enable_shared_from_this<Dispatcher> {
 public:
  Dispatcher(size_t queueLimit, std::shared_ptr<Watchdog> watchdog);

  /// Told of a call that hangs though its request has its answer already: kind `lane-deadline`. Called with
  /// the mutex held.
  using OnHung = std::function<void(Failure)>;

  // For the pool and the binding.
  /// How long a call may go on, whatever its request's deadline, before its lane is given up. Without it:
  /// until the deadline; a lane that opens its first session, which has none, is then waited for.
  void setOperationTimeout(Clock::duration timeout, OnHung onHung);
  void post(const RequestPointer& request);
  /// Answers the request of this ticket, if it has no answer yet, with `cancelled`. Where it still waits the
  /// token never sees it; where it runs, it goes on as an overdue one does.
  void cancel(uint64_t ticket);
  /// Gives the index of a member that is not open yet. Throws `closed`.
  [[nodiscard]] int addMember(MemberOptions options);
  /// Counts a control operation that opens a member, for as long as what it gives is held. Throws `closed`.
  [[nodiscard]] std::shared_ptr<const MemberOptions> beginOpening(int index);
  /// Takes the member out of the rotation and its token away, refuses what waits for it, and ends its lanes;
  /// those that do not come back by the deadline are left behind with what they hold.
  void detach(int index, Deadline deadline);
  /// A new opening, once what was alive of the former ones leaves room for it; throws `stuck`.
  [[nodiscard]] OpeningPointer newOpening(int index);
  /// Gives a token to a member that has none. Throws `closed`.
  void attach(int index, std::shared_ptr<Token> token, OpeningPointer opening);
  /// The token of a member that is open, for a control operation; closing waits until it is given back.
  /// Throws `closed`; `no-member` while it is not open, or where too many control operations hang in it.
  [[nodiscard]] std::shared_ptr<Token> acquireToken(int index);
  /// A control operation hangs: others of the member pass as if it held nothing.
  void expel(int index, Holder holder);
  std::shared_ptr<Epoch> epochOf(int index) const;
  /// What the next epoch goes by, and how many lanes there may be from now on. Throws `closed`.
  void setProfile(int index, Profile profile, int laneCount);
  Profile profileOf(int index) const;
  /// Begins an epoch with a few lanes, which become more as work waits; waits until they have opened. A token
  /// with a session for one at least has enough; otherwise throws the failure of the first that could not
  /// open, or `lane-deadline`.
  void startLanes(int index, std::shared_ptr<Epoch> epoch, Deadline deadline);
  /// Ends a lane, so that the token has a session to spare, and waits for it. False where there is none to
  /// spare, or the deadline passes.
  [[nodiscard]] bool makeRoom(int index, Deadline deadline);
  void suspend(int index);
  void resume(int index);
  std::vector<MemberStatistics> statistics() const;

  /// No more work from now on, for one member or for all; lanes end when they have done what was accepted.
  void beginClosing(int index);
  void beginClosingAll();
  bool isClosed() const;
  /// Waits for the lanes, refuses what they could not do in time, and lets go of the token, which may hang.
  /// Gives the number of threads that are still inside the module.
  [[nodiscard]] int finishClosing(int index, Deadline deadline);
  /// Starts the same for every member, each on a thread of its own.
  void releaseAll(Deadline deadline);
  /// Waits until all members are released, then refuses what still waits. Gives the number of threads that
  /// are still inside modules.
  [[nodiscard]] int awaitReleased(Deadline deadline);
  /// Refuses all that still waits.
  void refuseWaiting();
  /// Threads that are inside modules at this moment: lanes, also quarantined ones, and control operations,
  /// also those that open, close and finalise.
  int busyLanes() const;

  // For lanes.
  /// The epoch in which the lane works now. Throws `no-member` where its member was opened again without it,
  /// or closed: the handles of later epochs are not for its token.
  [[nodiscard]] std::shared_ptr<Epoch> epochFor(Lane& lane);
  /// Waits for work; the first call says that the lane is ready. Nothing: the lane shall end.
  [[nodiscard]] RequestPointer next(Lane& lane);
  /// Answers, and gives the next one or waits for it as `next` does.
  [[nodiscard]] RequestPointer finish(Lane& lane, RequestPointer request, Outcome outcome);
  /// Its first session did not open. Gives whether the lane shall go on without one and try again when it is
  /// given work: the last one of a member whose token has no more sessions.
  [[nodiscard]] bool laneFailed(Lane& lane, Failure failure);
  /// The token has no session for this lane any more. Where there are others, the request is theirs and the
  /// lane shall end.
  [[nodiscard]] bool requeue(Lane& lane, const RequestPointer& request);
  void laneEnded(Lane& lane);

  // For the watchdog.
  void expire(const RequestPointer& request);
  /// The lane's first session has taken the operation timeout.
  void expireOpening(Lane& lane);

 private:
  using Lock = PoolLock;

  /// Throws `closed`.
  Member& memberAt(int index) const REQUIRES(poolState);
  Member& memberOf(const Lane& lane) const REQUIRES(poolState);
  [[nodiscard]] Lane* idleLaneFor(const Request& request) REQUIRES(poolState);
  [[nodiscard]] RequestPointer take(Member& member) REQUIRES(poolState);
  void assign(Lane& lane, const RequestPointer& request) REQUIRES(poolState);
  /// Refuses what waits for admitted members, and has none.
  void refuseUnserved() REQUIRES(poolState);
  void quarantine(Lane& lane) REQUIRES(poolState);
  void setAside(Member& member, Lane& lane) REQUIRES(poolState);
  void replaceHanging(Member& member) REQUIRES(poolState);
  void endOpening(Lane& lane) REQUIRES(poolState);
  void expireOn(Lane& lane, const RequestPointer& request, Member& member) REQUIRES(poolState);
  bool hasHungSince(Clock::time_point since) const REQUIRES(poolState);
  void watchAgain(const RequestPointer& request, Deadline deadline) REQUIRES(poolState);
  void unwatch(const RequestPointer& request) REQUIRES(poolState);
  void addLane(Member& member) REQUIRES(poolState);
  void growFor(const Request& request) REQUIRES(poolState);
  void grow(Member& member) REQUIRES(poolState);
  void retire(Member& member, Lane& lane) REQUIRES(poolState);
  void shrink(Member& member) REQUIRES(poolState);
  void wakeIdle(Member& member) REQUIRES(poolState);
  static void stop(Member& member, MemberEvent why) REQUIRES(poolState);
  /// One more in this count of a member while the caller holds what it gives. With the mutex held.
  [[nodiscard]] std::shared_ptr<const void> countInside(int& count) REQUIRES(poolState);
  void release(int index, Deadline deadline);
  int insideAll() const REQUIRES(poolState);

  const std::shared_ptr<Watchdog> watchdog_;
  Clock::duration operationTimeout_ GUARDED_BY(poolState) = Clock::duration::zero();
  OnHung onHung_ GUARDED_BY(poolState);
  mutable Mutex mutex_;
  Condition changed_;
  RequestQueue requests_ GUARDED_BY(poolState);
  std::vector<std::unique_ptr<Member>> members_ GUARDED_BY(poolState);
  size_t rotation_ GUARDED_BY(poolState) = 0;
  bool closed_ GUARDED_BY(poolState) = false;
};

}  // namespace holdfast
