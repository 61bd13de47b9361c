/// \file Answers on their way to the event loop.
#pragma once

#include <memory>
#include <vector>

#include "completion.h"
#include "mutex.h"
#include "watchdog.h"

namespace holdfast {

/// Collects the answers of all threads until the event loop fetches them. One wake-up serves the whole list:
/// 10,000 operations per second do not mean 10,000 wake-ups. An answer that may wait goes with the next one
/// that may not; the watchdog delivers it if the lane hangs meanwhile.
class Outbox : public CompletionSink, public TimerTarget, public std::enable_shared_from_this<Outbox> {
 public:
  /// An answer, and the operation that it is for.
  struct Finished {
    uint64_t ticket;
    Outcome outcome;
  };

  explicit Outbox(std::shared_ptr<Watchdog> watchdog) : watchdog_(std::move(watchdog)) {}

  void complete(uint64_t ticket, Outcome outcome, Urgency urgency) final;
  void onDeadline() final;

  /// Returns everything that has finished since the last call.
  [[nodiscard]] std::vector<Finished> empty();
  /// Closes the outbox; later answers are destroyed.
  void close();

 protected:
  /// Makes the event loop call `empty`, soon and once. May be called from any thread.
  virtual void wake() = 0;

 private:
  /// Whether the caller must wake the loop, after it has released the mutex: the loop takes it at once.
  [[nodiscard]] bool mustWake(Urgency urgency) REQUIRES(mutex_);

  const std::shared_ptr<Watchdog> watchdog_;
  Mutex mutex_;
  std::vector<Finished> finished_ GUARDED_BY(mutex_);
  /// Whether a wake-up is on its way.
  bool awaited_ GUARDED_BY(mutex_) = false;
  /// Whether the watchdog will look for answers that wait.
  bool watched_ GUARDED_BY(mutex_) = false;
  bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace holdfast
