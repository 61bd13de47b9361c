/// \file The thread that answers requests whose deadline has passed.
#pragma once

#include <memory>
#include <set>
#include <thread>

#include "clock.h"
#include "mutex.h"
#include "threads.h"

namespace holdfast {

/// Is called when its deadline passes.
class TimerTarget {
 public:
  TimerTarget() = default;
  TimerTarget(const TimerTarget&) = delete;
  TimerTarget& operator=(const TimerTarget&) = delete;
  virtual ~TimerTarget() = default;
  /// On the watchdog's thread, once, unless it was unwatched before; must not call into a module.
  virtual void onDeadline() = 0;
};

/// One thread over an ordered set of deadlines. It never calls a module, so it can always be joined.
class Watchdog {
 public:
  Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog();

  void watch(Deadline deadline, std::shared_ptr<TimerTarget> target);
  void unwatch(Deadline deadline, const std::shared_ptr<TimerTarget>& target);

  /// The threads whose deadlines it watches.
  Threads& threads() { return threads_; }

 private:
  /// Shared with the thread, which may outlive the watchdog by the moments it needs to see `stopping`.
  struct State {
    Mutex mutex;
    Condition changed;
    std::set<std::pair<Deadline, std::shared_ptr<TimerTarget>>> timers GUARDED_BY(mutex);
    /// Until when the thread sleeps unless it is woken.
    Deadline sleepsUntil GUARDED_BY(mutex) = Deadline::max();
    bool stopping GUARDED_BY(mutex) = false;
  };

  static void run(const std::shared_ptr<State>& state);

  Threads threads_;
  const std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace holdfast
