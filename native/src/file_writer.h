/// \file Writes to a file on a thread of its own.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "mutex.h"
#include "threads.h"

namespace holdfast {

/// Writes texts, one at a time. A disk that blocks holds up this thread and nothing else: neither the event
/// loop nor the four threads of libuv's pool.
class FileWriter {
 public:
  /// How much of a text was written, and the errno that stopped the rest; 0 if nothing did.
  struct Written {
    size_t bytes = 0;
    int error = 0;
  };
  /// Called on the writer's thread after each text; must not block.
  using Listener = std::function<void()>;

  /// Throws std::system_error if the system has no more threads.
  FileWriter(Threads& threads, Listener listener);
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;
  ~FileWriter() { stop(); }

  /// Writes a text. The listener must have been called for the text before.
  void write(int fileDescriptor, std::string text);
  /// The outcome of the last text. Valid once the listener was called.
  Written written() const;
  /// Ends the thread after its present write, without waiting. The outcome of that write may never be
  /// reported.
  void stop();

 private:
  /// Shared with the thread, which may outlive this object in a write that blocks.
  struct State {
    explicit State(Listener listener) : listener(std::move(listener)) {}
    const Listener listener;
    Mutex mutex;
    Condition changed;
    int fileDescriptor GUARDED_BY(mutex) = -1;
    std::string text GUARDED_BY(mutex);
    Written written GUARDED_BY(mutex);
    bool isWaiting GUARDED_BY(mutex) = false;
    bool isStopping GUARDED_BY(mutex) = false;
  };

  static void run(State& state);

  const std::shared_ptr<State> state_;
};

}  // namespace holdfast
