/// \file One attempt with a PIN, from before C_Login until it has returned.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "file_lock.h"

namespace holdfast {

/// Keeps all other attempts with the same PIN away. None may start while `C_Login` hangs, because the token
/// has not counted that one yet (invariant 7). An attempt that hangs before `C_Login` is given up at its
/// deadline and never reaches it: the next one need not wait.
class LoginAttempt {
 public:
  /// `lock`: the PIN's lock across processes; none if there is no other attempt to keep away.
  explicit LoginAttempt(std::shared_ptr<FileLock> lock = nullptr) : lock_(std::move(lock)) {}

  /// Whether C_Login may be called now; asked once, by the thread that would.
  [[nodiscard]] bool begin() { return leaveWaiting(State::kBegun); }
  /// Called when the deadline has passed. Releases the lock if C_Login was not called yet.
  void giveUp() {
    if (leaveWaiting(State::kGivenUp)) lock_.reset();
  }
  bool isGivenUp() const { return state_.load() == State::kGivenUp; }

 private:
  enum class State { kWaiting, kBegun, kGivenUp };

  [[nodiscard]] bool leaveWaiting(State next) {
    auto waiting = State::kWaiting;
    return state_.compare_exchange_strong(waiting, next);
  }

  std::atomic<State> state_ = State::kWaiting;
  std::shared_ptr<FileLock> lock_;
};

}  // namespace holdfast
