/// \file The thread that acts at deadlines.
#pragma once

#include <memory>
#include <set>
#include <thread>

#include "clock.h"
#include "mutex.h"
#include "threads.h"

namespace holdfast {

/// Acts when its deadline passes.
class TimerTarget {
 public:
  TimerTarget() = default;
  TimerTarget(const TimerTarget&) = delete;
  TimerTarget& operator=(const TimerTarget&) = delete;
  virtual ~TimerTarget() = default;
  /// Called once, on the watchdog's thread, unless it was unwatched before. Must not call a module.
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
  /// Shared with the thread, which outlives the watchdog until it sees `stopping`.
  struct State {
    Mutex mutex;
    Condition changed;
    std::set<std::pair<Deadline, std::shared_ptr<TimerTarget>>> timers GUARDED_BY(mutex);
    /// When the thread wakes up by itself.
    Deadline sleepsUntil GUARDED_BY(mutex) = Deadline::max();
    bool stopping GUARDED_BY(mutex) = false;
  };

  static void run(const std::shared_ptr<State>& state);

  Threads threads_;
  const std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace holdfast
