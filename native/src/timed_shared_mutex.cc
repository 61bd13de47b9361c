#include "timed_shared_mutex.h"

#include <algorithm>

namespace holdfast {

TimedSharedMutex::Lock TimedSharedMutex::lockExclusive(Deadline deadline, Holder holder) {
  MutexLock lock(mutex_);
  ++waitingExclusive_;
  const bool held = changed_.waitUntil(lock, deadline,
                                       [this]() REQUIRES(mutex_) { return !exclusive_ && shared_.empty(); });
  --waitingExclusive_;
  if (held) exclusive_ = holder;
  if (!held) changed_.notifyAll();
  return {*this, true, holder, held};
}

TimedSharedMutex::Lock TimedSharedMutex::lockShared(Deadline deadline, Holder holder) {
  MutexLock lock(mutex_);
  const bool held = changed_.waitUntil(
      lock, deadline, [this]() REQUIRES(mutex_) { return !exclusive_ && waitingExclusive_ == 0; });
  if (held) shared_.push_back(holder);
  return {*this, false, holder, held};
}

/// Frees nothing if the holder was expelled meanwhile.
void TimedSharedMutex::unlock(bool exclusive, Holder holder) {
  const MutexLock lock(mutex_);
  if (exclusive) {
    if (exclusive_ == holder) exclusive_.reset();
  } else {
    const auto own = std::ranges::find(shared_, holder);
    if (own != shared_.end()) shared_.erase(own);
  }
  changed_.notifyAll();
}

void TimedSharedMutex::expel(Holder holder) {
  const MutexLock lock(mutex_);
  if (exclusive_ == holder) exclusive_.reset();
  std::erase(shared_, holder);
  changed_.notifyAll();
}

void TimedSharedMutex::expelAll() {
  const MutexLock lock(mutex_);
  exclusive_.reset();
  shared_.clear();
  changed_.notifyAll();
}

}  // namespace holdfast
