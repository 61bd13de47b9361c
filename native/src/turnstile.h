/// \file A lock with a deadline. (The timed locks of libstdc++ 12 call clock variants that ThreadSanitizer
/// does not know.)
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <vector>

#include "clock.h"

namespace holdfast {

/// Who passes, so that what it holds can be given up: any address that is its own while it holds a passage.
using Holder = const void*;

/// Lets one exclusive holder or many shared holders through; waiting exclusive holders go before new shared
/// ones.
class Turnstile {
 public:
  /// Held while it lives; test it, because the deadline may have passed first.
  class Passage {
   public:
    Passage(Turnstile& turnstile, bool exclusive, Holder holder, bool held)
        : turnstile_(held ? &turnstile : nullptr), exclusive_(exclusive), holder_(holder) {}
    Passage(const Passage&) = delete;
    Passage& operator=(const Passage&) = delete;
    ~Passage() {
      if (turnstile_ != nullptr) turnstile_->leave(exclusive_, holder_);
    }
    explicit operator bool() const { return turnstile_ != nullptr; }

   private:
    Turnstile* turnstile_;
    bool exclusive_;
    Holder holder_;
  };

  Passage exclusive(Deadline deadline, Holder holder);
  Passage shared(Deadline deadline, Holder holder);

  /// The holder hangs in a module and may never leave: others pass as if it had. Harmless where it holds
  /// nothing.
  void expel(Holder holder);
  /// All that hold it now.
  void expelAll();

 private:
  void leave(bool exclusive, Holder holder);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Holder> shared_;
  std::optional<Holder> exclusive_;
  int waitingExclusive_ = 0;
};

}  // namespace holdfast
