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

/// Bounded over all of them. A request that leaves it without a lane gets its answer here.
///
/// Requests for the same members wait in one line. So a lane looks at the first request of each line and at
/// no other, however many wait: there are few sets of members, because keys are on few.
class RequestQueue {
 public:
  /// `limit`: requests that may wait, for all members together.
  RequestQueue(size_t limit, std::shared_ptr<Watchdog> watchdog)
      : limit_(limit), watchdog_(std::move(watchdog)) {}

  /// Throws `queue-full`. In a pool of several members (`memberCount`) no line but that for all may fill more
  /// than half: work for members that hang must not take the room of the others.
  void push(const RequestPointer& request, size_t memberCount) REQUIRES(poolState);
  /// Puts a request that a lane gives back before all others, and beyond the limit.
  void pushFront(const RequestPointer& request) REQUIRES(poolState);
  /// The next request for a lane of this member, or null. First those that name it, because no other member
  /// can run them, then with `takesShared` the oldest of the others. Refuses on the way what has too little
  /// time left.
  [[nodiscard]] RequestPointer pop(int member, bool takesShared) REQUIRES(poolState);
  /// Whether it waited.
  [[nodiscard]] bool remove(const RequestPointer& request) REQUIRES(poolState);

  /// Answers a request that no lane has begun, whether it waits or never did.
  void refuse(const RequestPointer& request, Failure failure) REQUIRES(poolState);
  /// Takes out the request of this ticket and answers it. Whether it waited.
  [[nodiscard]] bool refuseTicket(uint64_t ticket, const Failure& failure) REQUIRES(poolState);
  /// Refuses those that name the member.
  void refuseNamed(int member, FailureKind kind, const char* detail) REQUIRES(poolState);
  /// Refuses those that name no member, and are for none of `serving`.
  void refuseUnserved(Members serving, FailureKind kind, const char* detail) REQUIRES(poolState);
  void refuseAll(FailureKind kind, const char* detail) REQUIRES(poolState);

  [[nodiscard]] size_t size() const REQUIRES(poolState) { return size_; }
  /// How many `pop` could give to a lane of this member.
  [[nodiscard]] size_t sizeFor(int member, bool takesShared) const REQUIRES(poolState);

 private:
  struct Waiting {
    /// Lower is older.
    int64_t order;
    RequestPointer request;
  };
  using Requests = std::deque<Waiting>;
  /// Those for the same members, the oldest first.
  struct Line {
    Members members;
    Requests requests;

    bool isFor(int member, bool takesShared) const {
      return members.has(member) && (takesShared || members.isNamed());
    }
  };

  /// The line for these members: a new one, or an empty one of others, if they have none.
  Line& lineFor(Members members) REQUIRES(poolState);
  [[nodiscard]] Line* nextLine(int member, bool takesShared) REQUIRES(poolState);
  /// Takes the first request that matches out of its line; null if there is none.
  template <typename Predicate>
  [[nodiscard]] RequestPointer takeFirst(Line& line, Predicate matches) REQUIRES(poolState);
  void refuseIn(Line& line, FailureKind kind, const char* detail) REQUIRES(poolState);

  const size_t limit_;
  const std::shared_ptr<Watchdog> watchdog_;
  /// As many as different sets have waited at the same time.
  std::vector<Line> lines_ GUARDED_BY(poolState);
  size_t size_ GUARDED_BY(poolState) = 0;
  int64_t newest_ GUARDED_BY(poolState) = 0;
  int64_t oldest_ GUARDED_BY(poolState) = 0;
};

}  // namespace holdfast
