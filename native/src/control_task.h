/// \file A control operation: rare, possibly slow, on a thread of its own.
#pragma once

#include <functional>
#include <memory>

#include "settlement.h"
#include "watchdog.h"

namespace holdfast {

/// Never on libuv's pool, whose four threads hung modules would use up. Owned by its thread and by the
/// watchdog; nobody waits for the thread without a deadline, because a module may never let it go.
class ControlTask final : public Watched, public std::enable_shared_from_this<ControlTask> {
 public:
  /// Does the work and settles; what it throws is settled for it. Late work must undo itself: see
  /// Settlement::claim.
  using Work = std::function<void(Settlement&)>;
  /// What the promise gets at the deadline.
  using Late = std::function<Outcome()>;

  static void start(const std::shared_ptr<Watchdog>& watchdog, const std::shared_ptr<Settlement>& settlement,
                    Deadline deadline, Work work, Late late = laneDeadline);

  /// The usual answer: kind `lane-deadline`.
  static Outcome laneDeadline();

  void onDeadline() override;

  ControlTask(std::shared_ptr<Watchdog> watchdog, std::shared_ptr<Settlement> settlement, Deadline deadline,
              Work work, Late late);

 private:
  void run();

  const std::shared_ptr<Watchdog> watchdog_;
  const std::shared_ptr<Settlement> settlement_;
  const Deadline deadline_;
  Work work_;
  const Late late_;
};

}  // namespace holdfast
