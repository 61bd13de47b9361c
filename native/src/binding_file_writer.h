/// \file `NativeFileWriter` for JavaScript.
#pragma once

#include <napi.h>

#include <memory>
#include <optional>
#include <string>

#include "file_writer.h"
#include "mutex.h"

namespace holdfast {

/// From a writer's thread back to a listener in JavaScript. It keeps the loop alive while a text is being
/// written.
class WriterChannel {
 public:
  /// Throws Napi::Error if the system has no more threads.
  static std::shared_ptr<WriterChannel> open(Napi::Env env, const Napi::Function& listener, Threads& threads);

  WriterChannel() = default;
  WriterChannel(const WriterChannel&) = delete;
  WriterChannel& operator=(const WriterChannel&) = delete;
  ~WriterChannel() = default;

  // All on the JavaScript thread.
  void write(Napi::Env env, int fileDescriptor, std::string text);
  /// Its owner needs it no more. The listener is not called any more, even for a text that is being written.
  void close();
  /// The environment ends, and with it what wakes the loop.
  void end();

 private:
  static void onWakeUp(Napi::Env env, Napi::Function listener, WriterChannel* channel, void* /*data*/);
  using WakeUp = Napi::TypedThreadSafeFunction<WriterChannel, void, &WriterChannel::onWakeUp>;

  /// On the writer's thread.
  void wake();
  /// False if it has ended before.
  bool endOnce();

  std::optional<FileWriter> writer_;
  /// Guards `wakeUp_` against its end.
  Mutex mutex_;
  WakeUp wakeUp_;
  bool ended_ GUARDED_BY(mutex_) = false;
};

/// The methods of `NativeFileWriter`.
class FileWriterBinding : public Napi::ObjectWrap<FileWriterBinding> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit FileWriterBinding(const Napi::CallbackInfo& info);
  void Finalize(Napi::Env env) override;

 private:
  void write(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  std::shared_ptr<WriterChannel> channel_;
};

}  // namespace holdfast
