/// \file Requests that wait for a lane of one of their members.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "members.h"
#include "pool_state.h"
#include "request.h"
#include "watchdog.h"

namespace holdfast {

/// The queue of a pool, with one bound over all members. A request that leaves it without a lane is answered
/// here.
///
/// Requests for the same members wait in one line. So a lane looks at the first request of each line and at
/// no other, however many wait: there are few sets of members, because keys are on few.
class RequestQueue {
 public:
  /// `limit`: requests that may wait, for all members together.
  RequestQueue(size_t limit, std::shared_ptr<Watchdog> watchdog)
      : limit_(limit), watchdog_(std::move(watchdog)) {}

  /// Throws `queue-full`. In a pool of several members (`memberCount`) no line except the one for all members
  /// may fill more than half of the queue: work for members that hang must not take the room of the others.
  void push(const RequestPointer& request, size_t memberCount) REQUIRES(poolState);
  /// Puts a request that a lane gives back before all others, even beyond the limit.
  void pushFront(const RequestPointer& request) REQUIRES(poolState);
  /// The next request for a lane of this member, or null. Requests that name it come first, because no other
  /// member can run them; then, with `takesShared`, the oldest of the others. Refuses requests that have too
  /// little time left.
  [[nodiscard]] RequestPointer pop(int member, bool takesShared) REQUIRES(poolState);
  /// Removes a request. False if it did not wait.
  [[nodiscard]] bool remove(const RequestPointer& request) REQUIRES(poolState);

  /// Answers a request that no lane has begun, whether it waits or never did.
  void refuse(const RequestPointer& request, Failure failure) REQUIRES(poolState);
  /// Takes out the request of this ticket and answers it. False if it did not wait.
  [[nodiscard]] bool refuseTicket(uint64_t ticket, const Failure& failure) REQUIRES(poolState);
  /// Refuses the requests that name the member.
  void refuseNamed(int member, FailureKind kind, const char* detail) REQUIRES(poolState);
  /// Refuses the requests that name no member and that no member of `serving` may run.
  void refuseUnserved(Members serving, FailureKind kind, const char* detail) REQUIRES(poolState);
  void refuseAll(FailureKind kind, const char* detail) REQUIRES(poolState);

  [[nodiscard]] size_t size() const REQUIRES(poolState) { return size_; }
  /// How many requests `pop` could give to a lane of this member.
  [[nodiscard]] size_t sizeFor(int member, bool takesShared) const REQUIRES(poolState);

 private:
  struct Waiting {
    /// Lower is older.
    int64_t order;
    RequestPointer request;
  };
  using Requests = std::deque<Waiting>;
  /// Requests for the same members, the oldest first.
  struct Line {
    Members members;
    Requests requests;

    bool isFor(int member, bool takesShared) const {
      return members.has(member) && (takesShared || members.isNamed());
    }
  };

  /// The line for these members. If they have none, a new line, or an empty one of other members.
  Line& lineFor(Members members) REQUIRES(poolState);
  [[nodiscard]] Line* nextLine(int member, bool takesShared) REQUIRES(poolState);
  /// Takes the first request that matches out of its line; null if there is none.
  template <typename Predicate>
  [[nodiscard]] RequestPointer takeFirst(Line& line, Predicate matches) REQUIRES(poolState);
  void refuseIn(Line& line, FailureKind kind, const char* detail) REQUIRES(poolState);

  const size_t limit_;
  const std::shared_ptr<Watchdog> watchdog_;
  /// As many lines as different sets have ever waited at the same time.
  std::vector<Line> lines_ GUARDED_BY(poolState);
  size_t size_ GUARDED_BY(poolState) = 0;
  int64_t newest_ GUARDED_BY(poolState) = 0;
  int64_t oldest_ GUARDED_BY(poolState) = 0;
};

}  // namespace holdfast
