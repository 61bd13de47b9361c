/// \file A mutex whose rules clang checks: with `-Wthread-safety` (`npm run lint:native`) a guarded member
/// that is used without its lock is an error. Other compilers see no attributes. Source: clang's Thread
/// Safety Analysis.
#pragma once

#include <condition_variable>
#include <mutex>

#include "clock.h"

#ifdef __clang__
#define THREAD_SAFETY(attribute) __attribute__((attribute))
#else
#define THREAD_SAFETY(attribute)
#endif

/// For a class: something that a thread can hold.
#define CAPABILITY THREAD_SAFETY(capability("mutex"))
/// For a class: holds a capability from its constructor to its destructor.
#define SCOPED_CAPABILITY THREAD_SAFETY(scoped_lockable)
/// For a member: used only by a thread that holds `mutex`.
#define GUARDED_BY(mutex) THREAD_SAFETY(guarded_by(mutex))
/// For a function or lambda: its caller holds `mutex`.
#define REQUIRES(mutex) THREAD_SAFETY(requires_capability(mutex))
/// For a function: it takes these mutexes or, without arguments, the object itself.
#define ACQUIRE(...) THREAD_SAFETY(acquire_capability(__VA_ARGS__))
#define RELEASE(...) THREAD_SAFETY(release_capability(__VA_ARGS__))
/// For a function whose locking clang cannot follow. Say why.
#define NO_THREAD_SAFETY_ANALYSIS THREAD_SAFETY(no_thread_safety_analysis)

namespace holdfast {

/// std::mutex with the attributes that libstdc++ lacks.
class CAPABILITY Mutex {
 private:
  friend class MutexLock;
  std::mutex mutex_;
};

/// Holds the mutex while it lives, except between `unlock` and `lock`.
class SCOPED_CAPABILITY MutexLock {
 public:
  [[nodiscard]] explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : lock_(mutex.mutex_) {}
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;
  // NOLINTNEXTLINE(modernize-use-equals-default): a defaulted destructor takes no attribute.
  ~MutexLock() RELEASE() {}

  void lock() ACQUIRE() { lock_.lock(); }
  void unlock() RELEASE() { lock_.unlock(); }

 private:
  friend class Condition;
  std::unique_lock<std::mutex> lock_;
};

/// A condition variable for MutexLock. A predicate that reads guarded members is marked `REQUIRES`. The mutex
/// is held again when a wait ends, which clang cannot see and need not.
class Condition {
 public:
  template <typename Predicate>
  void wait(MutexLock& lock, Predicate predicate) NO_THREAD_SAFETY_ANALYSIS {
    changed_.wait(lock.lock_, predicate);
  }
  /// Waits for a change. May return without one, as every condition variable may.
  void wait(MutexLock& lock) { changed_.wait(lock.lock_); }
  void waitUntil(MutexLock& lock, Deadline deadline) { changed_.wait_until(lock.lock_, deadline); }
  /// The predicate's value; false if the deadline passed first.
  template <typename Predicate>
  bool waitUntil(MutexLock& lock, Deadline deadline, Predicate predicate) NO_THREAD_SAFETY_ANALYSIS {
    return changed_.wait_until(lock.lock_, deadline, predicate);
  }
  void notifyOne() { changed_.notify_one(); }
  void notifyAll() { changed_.notify_all(); }

 private:
  std::condition_variable changed_;
};

}  // namespace holdfast
