/// \file A lock with a deadline. (The timed locks of libstdc++ 12 call clock variants that ThreadSanitizer
/// does not know.)
#pragma once

#include <condition_variable>
#include <mutex>

#include "clock.h"

namespace holdfast {

/// Lets one exclusive holder or many shared holders through; waiting exclusive holders go before new shared
/// ones.
class Turnstile {
 public:
  /// Held while it lives; test it, because the deadline may have passed first.
  class Passage {
   public:
    Passage(Turnstile& turnstile, bool exclusive, bool held)
        : turnstile_(held ? &turnstile : nullptr), exclusive_(exclusive) {}
    Passage(const Passage&) = delete;
    Passage& operator=(const Passage&) = delete;
    ~Passage() {
      if (turnstile_ != nullptr) turnstile_->leave(exclusive_);
    }
    explicit operator bool() const { return turnstile_ != nullptr; }

   private:
    Turnstile* turnstile_;
    bool exclusive_;
  };

  Passage exclusive(Deadline deadline);
  Passage shared(Deadline deadline);

 private:
  void leave(bool exclusive);

  std::mutex mutex_;
  std::condition_variable changed_;
  int shared_ = 0;
  int waitingExclusive_ = 0;
  bool exclusive_ = false;
};

}  // namespace holdfast
