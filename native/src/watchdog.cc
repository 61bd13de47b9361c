#include "watchdog.h"

#include <pthread.h>

namespace holdfast {

Watchdog::Watchdog() : state_(std::make_shared<State>()), thread_([state = state_] { run(state); }) {}

Watchdog::~Watchdog() {
  {
    const MutexLock lock(state_->mutex);
    state_->stopping = true;
    state_->changed.notifyOne();
  }
  // A late request may hold the last reference to its pool and so to this watchdog.
  if (thread_.get_id() == std::this_thread::get_id()) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

void Watchdog::watch(Deadline deadline, std::shared_ptr<TimerTarget> target) {
  const MutexLock lock(state_->mutex);
  state_->timers.emplace(deadline, std::move(target));
  // `unwatch` does not wake the thread, so operations that end in time never do.
  if (deadline < state_->sleepsUntil) state_->changed.notifyOne();
}

void Watchdog::unwatch(Deadline deadline, const std::shared_ptr<TimerTarget>& target) {
  const MutexLock lock(state_->mutex);
  state_->timers.erase({deadline, target});
}

void Watchdog::run(const std::shared_ptr<State>& state) {
  pthread_setname_np(pthread_self(), "hf-watchdog");
  MutexLock lock(state->mutex);
  while (!state->stopping) {
    if (state->timers.empty()) {
      state->sleepsUntil = Deadline::max();
      state->changed.wait(lock);
      continue;
    }
    const auto first = state->timers.begin();
    if (first->first > Clock::now()) {
      // Copied, because the entry may be gone when the wait ends.
      const Deadline until = first->first;
      state->sleepsUntil = until;
      state->changed.waitUntil(lock, until);
      continue;
    }
    auto late = state->timers.extract(first);
    lock.unlock();
    late.value().second->onDeadline();
    late = {};
    lock.lock();
  }
}

}  // namespace holdfast
