/// \file One posted operation, until it is answered.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "completion.h"
#include "members.h"
#include "pool_state.h"
#include "watchdog.h"

namespace holdfast {

class Dispatcher;
class Lane;

/// Owned by the dispatcher's queue while it waits, by its lane while it runs (also by a quarantined one,
/// until the call returns), and by the watchdog until it is answered.
class Request final : public TimerTarget, public std::enable_shared_from_this<Request> {
 public:
  Request(std::weak_ptr<Dispatcher> dispatcher, std::shared_ptr<Completion> completion,
          OperationPointer operation, Members members, Deadline deadline)
      : completion(std::move(completion)),
        operation(std::move(operation)),
        members(members),
        deadline(deadline),
        dispatcher_(std::move(dispatcher)) {}

  void onDeadline() override;

  /// Whether enough time is left. With less, a lane would work for an answer that comes too late.
  bool hasTimeToStart() const { return Clock::now() + kMinTimeToStart < deadline; }

  /// The holder of the locks that its run takes.
  Holder holder() const { return &insideSince; }

  const std::shared_ptr<Completion> completion;
  const OperationPointer operation;
  /// The members that may run the request.
  const Members members;
  const Deadline deadline;
  /// See OperationContext::insideSince. A lane that was given the request may not be awake yet.
  std::atomic<Clock::time_point> insideSince = kNotInside;
  /// When the watchdog looks again at a lane that goes on after the answer.
  std::optional<Deadline> watchedAgain GUARDED_BY(poolState);

 private:
  static constexpr auto kMinTimeToStart = std::chrono::milliseconds(1);

  const std::weak_ptr<Dispatcher> dispatcher_;
};

/// Shared, because a lane and the watchdog may both hold it: see Request.
using RequestPointer = std::shared_ptr<Request>;

}  // namespace holdfast
