#include "threads.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <utility>

namespace holdfast {
namespace {

/// Needs no destructor, because threads may end while the process does.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): it counts threads of the process.
std::atomic<int> alive = 0;

}  // namespace

bool onMainThread() { return ::gettid() == ::getpid(); }

int Threads::aliveInProcess() { return alive.load(); }

Threads::Threads() : state_(std::make_shared<State>()) {}

Threads::~Threads() {
  const MutexLock lock(state_->mutex);
  for (auto& thread : state_->running) thread.detach();
  for (auto& thread : state_->done) thread.detach();
  state_->running.clear();
  state_->done.clear();
}

void Threads::start(const char* name, std::function<void()> work) {
  const MutexLock lock(state_->mutex);
  const auto place = state_->running.emplace(state_->running.end());
  ++alive;
  try {
    *place = std::thread([state = state_, name, work = std::move(work)]() mutable {
      pthread_setname_np(pthread_self(), name);
      work();
      // Frees what the work holds before its end is reported.
      work = nullptr;
      --alive;
      // Joins earlier threads here, where nothing waits: a module's thread-local destructors may take long.
      joinDone(*state);
      const MutexLock own(state->mutex);
      const auto self = std::ranges::find(state->running, std::this_thread::get_id(), &std::thread::get_id);
      // The thread is not found if the Threads object was destroyed meanwhile.
      if (self != state->running.end()) state->done.splice(state->done.end(), state->running, self);
      state->changed.notifyAll();
    });
  } catch (...) {
    --alive;
    state_->running.erase(place);
    throw;
  }
}

bool Threads::join(Deadline deadline) {
  MutexLock lock(state_->mutex);
  const bool all = state_->changed.waitUntil(
      lock, deadline, [this]() REQUIRES(state_->mutex) { return state_->running.empty(); });
  lock.unlock();
  joinDone(*state_);
  return all;
}

void Threads::joinDone(State& state) {
  std::list<std::thread> done;
  {
    const MutexLock lock(state.mutex);
    done.swap(state.done);
  }
  for (auto& thread : done) thread.join();
}

}  // namespace holdfast
