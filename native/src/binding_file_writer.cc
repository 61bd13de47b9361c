#include "binding_file_writer.h"

#include <system_error>
#include <utility>

#include "binding_arguments.h"
#include "binding_state.h"

namespace holdfast {

std::shared_ptr<WriterChannel> WriterChannel::open(Napi::Env env, const Napi::Function& listener,
                                                   Threads& threads) {
  auto channel = std::make_shared<WriterChannel>();
  // The wake-up may outlive the binding, so it holds the channel too.
  auto held = std::make_unique<std::shared_ptr<WriterChannel>>(channel);
  const auto letGo = [](Napi::Env /*env*/, std::shared_ptr<WriterChannel>* holder,
                        WriterChannel* /*channel*/) {
    const std::unique_ptr<std::shared_ptr<WriterChannel>> last(holder);
  };
  channel->wakeUp_ = WakeUp::New(env, listener, "holdfast", 0, 1, channel.get(), letGo, held.get());
  static_cast<void>(held.release());
  channel->wakeUp_.Unref(env);
  try {
    channel->writer_.emplace(threads, [channel = std::weak_ptr(channel)] {
      if (const auto alive = channel.lock()) alive->wake();
    });
  } catch (const std::system_error& error) {
    channel->wakeUp_.Release();
    throw Napi::Error::New(env, std::string("no thread for writing: ") + error.what());
  }
  return channel;
}

void WriterChannel::write(Napi::Env env, int fileDescriptor, std::string text) {
  wakeUp_.Ref(env);
  writer_->write(fileDescriptor, std::move(text));
}

void WriterChannel::close() {
  if (endOnce()) wakeUp_.Release();
}

void WriterChannel::end() { endOnce(); }

bool WriterChannel::endOnce() {
  writer_->stop();
  const MutexLock lock(mutex_);
  return !std::exchange(ended_, true);
}

void WriterChannel::wake() {
  const MutexLock lock(mutex_);
  if (!ended_) wakeUp_.NonBlockingCall();
}

void WriterChannel::onWakeUp(Napi::Env env, Napi::Function listener, WriterChannel* channel, void* /*data*/) {
  // No environment: it is being torn down.
  if (env == nullptr) return;
  {
    const MutexLock lock(channel->mutex_);
    if (channel->ended_) return;
  }
  channel->wakeUp_.Unref(env);
  const auto [bytes, error] = channel->writer_->written();
  try {
    listener.Call({Napi::Number::New(env, static_cast<double>(bytes)), Napi::Number::New(env, error)});
  } catch (const Napi::Error& thrown) {
    napi_fatal_exception(env, thrown.Value());
  }
}

Napi::Function FileWriterBinding::define(Napi::Env env) {
  return DefineClass(env, "FileWriter",
                     {InstanceMethod<&FileWriterBinding::write>("write"),
                      InstanceMethod<&FileWriterBinding::close>("close")});
}

FileWriterBinding::FileWriterBinding(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  auto& state = AddonState::of(info.Env());
  channel_ = WriterChannel::open(info.Env(), info[0].As<Napi::Function>(), state.watchdog->threads());
  state.writers.push_back(channel_);
}

void FileWriterBinding::Finalize(Napi::Env /*env*/) { channel_->close(); }

void FileWriterBinding::write(const Napi::CallbackInfo& info) {
  channel_->write(info.Env(), intOf(info[0]), stringOf(info[1]));
}

void FileWriterBinding::close(const Napi::CallbackInfo& info) {
  std::erase(AddonState::of(info.Env()).writers, channel_);
  channel_->close();
}

}  // namespace holdfast
