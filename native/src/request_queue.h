/// \file Requests that wait: for any member in one queue, or each for the member that it names.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "pool_state.h"
#include "request.h"
#include "watchdog.h"

namespace holdfast {

/// Bounded over all of them. A request that leaves it without a lane gets its answer here.
class RequestQueue {
 public:
  /// `limit`: requests that may wait, for all members together.
  RequestQueue(size_t limit, std::shared_ptr<Watchdog> watchdog)
      : limit_(limit), watchdog_(std::move(watchdog)) {}

  void addMember() REQUIRES(poolState) { pinned_.emplace_back(); }

  /// Throws `queue-full`. Of several members none may fill more than half: work for one that hangs must not
  /// take the room of all.
  void push(const RequestPointer& request) REQUIRES(poolState);
  /// What a lane hands back: before all others, and beyond the limit.
  void pushFront(const RequestPointer& request) REQUIRES(poolState);
  /// The next one that names the member, else the next one for any. Nothing if none waits. What has too
  /// little time left is refused on the way.
  [[nodiscard]] RequestPointer pop(int member, bool takesShared) REQUIRES(poolState);
  /// Whether it waited.
  bool remove(const RequestPointer& request) REQUIRES(poolState);

  /// Answers a request that no lane has begun, whether it waits or never did.
  void refuse(const RequestPointer& request, Failure failure) REQUIRES(poolState);
  /// Takes out the one of this ticket and answers it. Whether it waited.
  [[nodiscard]] bool refuseTicket(uint64_t ticket, const Failure& failure) REQUIRES(poolState);
  /// Those that name the member.
  void refusePinned(int member, FailureKind kind, const char* detail) REQUIRES(poolState);
  /// Those for any member.
  void refuseShared(FailureKind kind, const char* detail) REQUIRES(poolState);
  void refuseAll(FailureKind kind, const char* detail) REQUIRES(poolState);

  size_t size() const REQUIRES(poolState) { return size_; }
  size_t sharedSize() const REQUIRES(poolState) { return shared_.size(); }
  size_t pinnedSize(int member) const REQUIRES(poolState) {
    return pinned_[static_cast<size_t>(member)].size();
  }

 private:
  using Requests = std::deque<RequestPointer>;

  Requests& queueOf(const Request& request) REQUIRES(poolState);
  [[nodiscard]] RequestPointer popFrom(Requests& queue) REQUIRES(poolState);
  /// The request, out of its queue.
  RequestPointer takeOut(Requests& queue, const Requests::iterator& found) REQUIRES(poolState);
  void refuseIn(Requests& queue, FailureKind kind, const char* detail) REQUIRES(poolState);

  const size_t limit_;
  const std::shared_ptr<Watchdog> watchdog_;
  Requests shared_ GUARDED_BY(poolState);
  /// By member.
  std::vector<Requests> pinned_ GUARDED_BY(poolState);
  size_t size_ GUARDED_BY(poolState) = 0;
};

}  // namespace holdfast
