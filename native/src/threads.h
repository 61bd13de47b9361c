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

/// A list of threads. The end of an environment joins the threads that have done their work, because
/// OpenSSL's clean-up of a thread that ends beside `exit` crashes. A wait for a thread that hangs in a module
/// always has a deadline; the destructor abandons such a thread without waiting.
class Threads {
 public:
  Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  ~Threads();

  /// `name` has at most 15 characters. Throws std::system_error if the system has no more threads.
  void start(const char* name, std::function<void()> work);

  /// Waits until all have done their work, then joins them. False if the deadline passed first; finished ones
  /// are still joined. Must not be called from one of the threads.
  bool join(Deadline deadline);

  /// Counts the threads of the whole process that have not finished, including those that an environment
  /// abandoned.
  static int aliveInProcess();

 private:
  /// Shared with the threads: an abandoned thread still reports its end.
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
