/// \file A shared mutex whose locks have a deadline. (The timed locks of libstdc++ 12 call clock variants
/// that ThreadSanitizer does not know.)
#pragma once

#include <optional>
#include <vector>

#include "clock.h"
#include "mutex.h"

namespace holdfast {

/// Names the holder of a lock, for `expel`: an address that no other holder has at the same time.
using Holder = const void*;

/// One exclusive holder or many shared holders. Waiting exclusive holders go before new shared ones.
class TimedSharedMutex {
 public:
  /// Holds the mutex while it lives. Test it: the deadline may have passed first.
  class [[nodiscard]] Lock {
   public:
    Lock(TimedSharedMutex& mutex, bool exclusive, Holder holder, bool held)
        : mutex_(held ? &mutex : nullptr), exclusive_(exclusive), holder_(holder) {}
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    ~Lock() {
      if (mutex_ != nullptr) mutex_->unlock(exclusive_, holder_);
    }
    explicit operator bool() const { return mutex_ != nullptr; }

   private:
    TimedSharedMutex* mutex_;
    bool exclusive_;
    Holder holder_;
  };

  [[nodiscard]] Lock lockExclusive(Deadline deadline, Holder holder);
  [[nodiscard]] Lock lockShared(Deadline deadline, Holder holder);

  /// Expels a holder that hangs in a module and may never unlock: others lock as if it had. Harmless if it
  /// holds nothing.
  void expel(Holder holder);
  /// Expels all present holders.
  void expelAll();

 private:
  void unlock(bool exclusive, Holder holder);

  Mutex mutex_;
  Condition changed_;
  std::vector<Holder> shared_ GUARDED_BY(mutex_);
  std::optional<Holder> exclusive_ GUARDED_BY(mutex_);
  int waitingExclusive_ GUARDED_BY(mutex_) = 0;
};

}  // namespace holdfast
