/// \file From the core's threads back to promises.
#pragma once

#include <napi.h>

#include <memory>
#include <unordered_map>

#include "binding_values.h"
#include "mutex.h"
#include "outbox.h"

namespace holdfast {

/// Settles promises with the outbox's answers. Keeps the loop alive while a promise is open.
class CompletionQueue final : public Outbox {
 public:
  CompletionQueue(Napi::Env env, std::shared_ptr<Watchdog> watchdog);

  /// A promise, and the completion that settles it. On the JavaScript thread.
  struct Pending {
    Napi::Value promise;
    std::shared_ptr<Completion> completion;
  };
  [[nodiscard]] Pending open(Napi::Env env, Shape shape);

  /// A function that is called with every failure that completes this ticket, until it is forgotten. It does
  /// not keep the loop alive. On the JavaScript thread, both.
  [[nodiscard]] uint64_t listen(const Napi::Function& listener);
  void forget(uint64_t ticket) { listeners_.erase(ticket); }

  /// The environment ends: later answers are destroyed, and nothing wakes the loop.
  void end();

 private:
  /// A promise that has no answer yet, and how its answer is to look.
  struct Open {
    Napi::Promise::Deferred deferred;
    Shape shape;
  };

  void wake() override;
  static void onWakeUp(Napi::Env env, Napi::Function /*callback*/, CompletionQueue* queue, void* /*data*/);
  void drain(Napi::Env env);
  void settle(Napi::Env env, Finished& finished);
  static void tell(Napi::Env env, const Napi::FunctionReference& listener, const Failure& failure);

  using WakeUp = Napi::TypedThreadSafeFunction<CompletionQueue, void, &CompletionQueue::onWakeUp>;

  /// Guards `wakeUp_` against the end of the environment.
  Mutex mutex_;
  WakeUp wakeUp_;
  bool ended_ GUARDED_BY(mutex_) = false;
  // Only the JavaScript thread touches these three.
  std::unordered_map<uint64_t, Open> open_;
  std::unordered_map<uint64_t, Napi::FunctionReference> listeners_;
  uint64_t lastTicket_ = 0;
};

}  // namespace holdfast
