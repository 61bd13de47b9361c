/// \file A control operation: rare, possibly slow, on a thread of its own.
#pragma once

#include <functional>
#include <memory>

#include "completion.h"
#include "watchdog.h"

namespace holdfast {

/// Never runs on libuv's pool: hung modules would use up its four threads. Owned by its thread and by the
/// watchdog. Every wait for the thread has a deadline, because a module may never let it go.
class ControlTask final : public TimerTarget, public std::enable_shared_from_this<ControlTask> {
 public:
  /// Does the work and completes the answer; an exception becomes the answer. Late work must undo itself: see
  /// Completion::claim.
  using Work = std::function<void(Completion&)>;
  /// Makes the promise's outcome when the deadline passes.
  using Late = std::function<Outcome()>;

  static void start(const std::shared_ptr<Watchdog>& watchdog, const std::shared_ptr<Completion>& completion,
                    Deadline deadline, Work work, Late late = laneDeadline);

  /// The usual outcome at the deadline: kind `lane-deadline`.
  [[nodiscard]] static Outcome laneDeadline();

  void onDeadline() override;

  ControlTask(std::shared_ptr<Watchdog> watchdog, std::shared_ptr<Completion> completion, Deadline deadline,
              Work work, Late late);

 private:
  void run();

  const std::shared_ptr<Watchdog> watchdog_;
  const std::shared_ptr<Completion> completion_;
  const Deadline deadline_;
  Work work_;
  const Late late_;
};

}  // namespace holdfast
