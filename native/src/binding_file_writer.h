/// \file `NativeFileWriter` for JavaScript.
#pragma once

#include <napi.h>

#include <memory>
#include <optional>
#include <string>

#include "file_writer.h"
#include "mutex.h"

namespace holdfast {

/// The way from a writer's thread back to a listener in JavaScript. It keeps the loop alive while a text is
/// being written.
class WriterChannel {
 public:
  /// Throws Napi::Error if the system has no more threads.
  static std::shared_ptr<WriterChannel> open(Napi::Env env, const Napi::Function& listener, Threads& threads);

  WriterChannel() = default;
  WriterChannel(const WriterChannel&) = delete;
  WriterChannel& operator=(const WriterChannel&) = delete;
  ~WriterChannel() = default;

  // Call all of these on the JavaScript thread.
  void write(Napi::Env env, int fileDescriptor, std::string text);
  /// Called when the owner no longer needs the channel. The listener is not called again, even for a text
  /// that is being written.
  void close();
  /// Called when the environment ends, and with it what wakes the loop.
  void end();

 private:
  static void onWakeUp(Napi::Env env, Napi::Function listener, WriterChannel* channel, void* /*data*/);
  using WakeUp = Napi::TypedThreadSafeFunction<WriterChannel, void, &WriterChannel::onWakeUp>;

  /// Called on the writer's thread.
  void wake();
  /// Ends the channel. False if it had ended before.
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
