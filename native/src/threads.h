/// \file The threads that may call into modules.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <thread>

#include "clock.h"
#include "mutex.h"

namespace holdfast {

/// Whether this is the thread that the process began with, which is Node's main one.
bool onMainThread();

/// Knows its threads, so that the end of an environment can join those that have done their work: OpenSSL's
/// clean-up of a thread that ends beside `exit` crashes. One that hangs in a module is never waited for
/// without a deadline, and not at all by the destructor, which lets it go.
class Threads {
 public:
  Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  ~Threads();

  /// `name` is at most 15 characters. Throws std::system_error where the system has no more threads.
  void start(const char* name, std::function<void()> work);

  /// Waits until all have done their work, then joins them. False where the deadline passed first; those that
  /// were done are joined all the same. Not from one of the threads.
  bool join(Deadline deadline);

  /// Threads of the whole process that have not done their work yet, also those that an environment let go.
  static int aliveInProcess();

 private:
  /// Shared with the threads: one that was let go still reports its end.
  struct State {
    Mutex mutex;
    Condition changed;
    std::list<std::thread> running GUARDED_BY(mutex);
    std::list<std::thread> done GUARDED_BY(mutex);
  };

  static void joinDone(State& state);

  const std::shared_ptr<State> state_;
};

}  // namespace holdfast
