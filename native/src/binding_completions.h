/// \file The way from the core's threads back to JavaScript.
#pragma once

#include <napi.h>

#include <memory>
#include <unordered_map>

#include "binding_answers.h"
#include "binding_values.h"
#include "mutex.h"
#include "outbox.h"

namespace holdfast {

/// Takes the outbox's answers to JavaScript. Answers of data operations go packed; each other answer settles
/// its promise. Keeps the loop alive while an operation has no answer.
class CompletionQueue final : public Outbox {
 public:
  CompletionQueue(Napi::Env env, std::shared_ptr<Watchdog> watchdog);

  /// A promise, and the completion that settles it. On the JavaScript thread.
  struct Pending {
    Napi::Value promise;
    std::shared_ptr<Completion> completion;
  };
  [[nodiscard]] Pending open(Napi::Env env, Shape shape);

  /// Opens the completion of a data operation, whose answer is packed. JavaScript chose the ticket: it is
  /// below 2^53, and no other data operation that is unanswered or still runs has it. Call on the JavaScript
  /// thread.
  [[nodiscard]] std::shared_ptr<Completion> openPacked(Napi::Env env, uint64_t ticket);
  /// The core's number for a ticket that JavaScript chose. It never equals a ticket of the core's own.
  [[nodiscard]] static uint64_t packedTicket(uint64_t ticket) { return ticket | kPacked; }
  [[nodiscard]] AnswerListener& answers() { return answers_; }

  /// Returns a ticket. The listener is called with every failure that completes it, until it is forgotten,
  /// and does not keep the loop alive. Call both functions on the JavaScript thread.
  [[nodiscard]] uint64_t listen(const Napi::Function& listener);
  void forget(uint64_t ticket) { listeners_.erase(ticket); }

  /// Called when the environment ends: later answers are destroyed, and nothing wakes the loop.
  void end();

 private:
  /// A promise that has no answer yet, and the shape of its answer.
  struct Open {
    Napi::Promise::Deferred deferred;
    Shape shape;
  };

  void wake() override;
  static void onWakeUp(Napi::Env env, Napi::Function /*callback*/, CompletionQueue* queue, void* /*data*/);
  static constexpr uint64_t kPacked = uint64_t{1} << 63;

  void keepAlive(Napi::Env env);
  [[nodiscard]] bool isIdle() const { return open_.empty() && packedOpen_ == 0; }
  void drain(Napi::Env env);
  void settle(Napi::Env env, Finished& finished);
  void settlePacked(Napi::Env env, uint64_t ticket, const Outcome& outcome);
  static void tell(Napi::Env env, const Napi::FunctionReference& listener, const Failure& failure);

  using WakeUp = Napi::TypedThreadSafeFunction<CompletionQueue, void, &CompletionQueue::onWakeUp>;

  /// Guards `wakeUp_` against the end of the environment.
  Mutex mutex_;
  WakeUp wakeUp_;
  bool ended_ GUARDED_BY(mutex_) = false;
  // Only the JavaScript thread touches these.
  AnswerListener answers_;
  size_t packedOpen_ = 0;
  std::unordered_map<uint64_t, Open> open_;
  std::unordered_map<uint64_t, Napi::FunctionReference> listeners_;
  uint64_t lastTicket_ = 0;
};

}  // namespace holdfast
