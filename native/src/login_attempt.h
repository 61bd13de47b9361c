/// \file One try of a PIN, from before C_Login until it has come back.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "file_lock.h"

namespace holdfast {

/// What keeps every other try of the same PIN away. Nobody may try it while `C_Login` hangs, because the
/// token has not counted that one yet (invariant 7). What hangs before `C_Login` is given up with its
/// deadline, and never gets that far: the next try need not wait for it.
class LoginAttempt {
 public:
  /// `lock`: of the PIN, across processes; none where there is no other try to keep away.
  explicit LoginAttempt(std::shared_ptr<FileLock> lock = nullptr) : lock_(std::move(lock)) {}

  /// Whether C_Login may be called now; asked once, by the thread that would.
  [[nodiscard]] bool begin() { return leaveWaiting(State::kBegun); }
  /// Its deadline has passed. Lets go of the lock where C_Login was not called yet.
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
