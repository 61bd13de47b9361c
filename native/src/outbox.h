/// \file Answers on their way to the event loop.
#pragma once

#include <memory>
#include <vector>

#include "completion.h"
#include "mutex.h"
#include "watchdog.h"

namespace holdfast {

/// Collects what finishes on any thread until the event loop comes for it. One wake-up is for everything in
/// the list: 10,000 operations per second do not mean 10,000 wake-ups. An answer that may wait rides along
/// with the next one that may not; the watchdog sees to it that it does not wait for a lane that hangs
/// meanwhile.
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

  /// Everything that has finished since the last time.
  [[nodiscard]] std::vector<Finished> empty();
  /// Later answers are destroyed.
  void close();

 protected:
  /// Makes the event loop call `empty`, soon and once. From any thread.
  virtual void wake() = 0;

 private:
  /// Whether the caller shall wake the loop, once it has let go of the mutex: the loop wants it at once.
  [[nodiscard]] bool mustWake(Urgency urgency) REQUIRES(mutex_);

  const std::shared_ptr<Watchdog> watchdog_;
  Mutex mutex_;
  std::vector<Finished> finished_ GUARDED_BY(mutex_);
  /// A wake-up is on its way.
  bool awaited_ GUARDED_BY(mutex_) = false;
  /// The watchdog will look for answers that wait.
  bool watched_ GUARDED_BY(mutex_) = false;
  bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace holdfast
