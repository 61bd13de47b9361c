#include "outbox.h"

#include <utility>

namespace holdfast {
namespace {

/// How long an answer waits for others if the lane that holds it back hangs in its next call.
constexpr auto kLongestWait = std::chrono::milliseconds(5);

}  // namespace

void Outbox::complete(uint64_t ticket, Outcome outcome, Urgency urgency) {
  bool watches = false;
  bool wakes = false;
  {
    const MutexLock lock(mutex_);
    if (closed_) return;
    finished_.push_back({ticket, std::move(outcome)});
    wakes = mustWake(urgency);
    watches = !awaited_ && !std::exchange(watched_, true);
  }
  if (wakes) wake();
  if (watches) watchdog_->watch(Clock::now() + kLongestWait, shared_from_this());
}

bool Outbox::mustWake(Urgency urgency) {
  if (urgency == Urgency::kSoon || finished_.empty()) return false;
  return !std::exchange(awaited_, true);
}

void Outbox::onDeadline() {
  bool wakes = false;
  {
    const MutexLock lock(mutex_);
    watched_ = false;
    wakes = mustWake(Urgency::kNow);
  }
  if (wakes) wake();
}

std::vector<Outbox::Finished> Outbox::empty() {
  std::vector<Finished> all;
  const MutexLock lock(mutex_);
  all.swap(finished_);
  awaited_ = false;
  return all;
}

void Outbox::close() {
  const MutexLock lock(mutex_);
  closed_ = true;
  finished_.clear();
}

}  // namespace holdfast
