/// \file From the core's threads back to promises.
#pragma once

#include <napi.h>

#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "binding_values.h"
#include "settlement.h"

namespace holdfast {

/// One wake-up of the event loop settles everything that finished meanwhile: 10,000 operations per second do
/// not mean 10,000 wake-ups. Keeps the loop alive while a promise is open.
class CompletionQueue final : public CompletionSink, public std::enable_shared_from_this<CompletionQueue> {
 public:
  explicit CompletionQueue(Napi::Env env);

  /// A promise, and the settlement that settles it. On the JavaScript thread.
  struct Pending {
    Napi::Value promise;
    std::shared_ptr<Settlement> settlement;
  };
  Pending open(Napi::Env env, Shape shape);

  void complete(uint64_t ticket, Outcome outcome) override;

  /// The environment ends: what comes from now on is destroyed.
  void close();

 private:
  struct Finished {
    uint64_t ticket;
    Outcome outcome;
  };
  struct Open {
    Napi::Promise::Deferred deferred;
    Shape shape;
  };

  static void onWakeUp(Napi::Env env, Napi::Function, CompletionQueue* queue, void*);
  void drain(Napi::Env env);
  void settle(Napi::Env env, Finished& finished);

  using WakeUp = Napi::TypedThreadSafeFunction<CompletionQueue, void, &CompletionQueue::onWakeUp>;

  WakeUp wakeUp_;
  // Only the JavaScript thread touches these two.
  std::unordered_map<uint64_t, Open> open_;
  uint64_t lastTicket_ = 0;
  std::mutex mutex_;
  std::vector<Finished> finished_;
  bool closed_ = false;
};

}  // namespace holdfast
