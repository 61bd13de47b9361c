#include "binding_completions.h"

#include <utility>

namespace holdfast {

CompletionQueue::CompletionQueue(Napi::Env env, std::shared_ptr<Watchdog> watchdog)
    : Outbox(std::move(watchdog)), wakeUp_(WakeUp::New(env, "holdfast", 0, 1, this)) {
  wakeUp_.Unref(env);
}

CompletionQueue::Pending CompletionQueue::open(Napi::Env env, Shape shape) {
  keepAlive(env);
  const uint64_t ticket = ++lastTicket_;
  const auto& entry = open_.emplace(ticket, Open{Napi::Promise::Deferred::New(env), shape}).first->second;
  return {entry.deferred.Promise(), std::make_shared<Completion>(shared_from_this(), ticket)};
}

std::shared_ptr<Completion> CompletionQueue::openPacked(Napi::Env env, uint64_t ticket) {
  keepAlive(env);
  ++packedOpen_;
  return std::make_shared<Completion>(shared_from_this(), packedTicket(ticket));
}

void CompletionQueue::keepAlive(Napi::Env env) {
  if (isIdle()) wakeUp_.Ref(env);
}

uint64_t CompletionQueue::listen(const Napi::Function& listener) {
  const uint64_t ticket = ++lastTicket_;
  listeners_.emplace(ticket, Napi::Persistent(listener));
  return ticket;
}

void CompletionQueue::wake() {
  const MutexLock lock(mutex_);
  if (!ended_) wakeUp_.NonBlockingCall();
}

void CompletionQueue::end() {
  close();
  listeners_.clear();
  answers_.forget();
  const MutexLock lock(mutex_);
  ended_ = true;
}

void CompletionQueue::onWakeUp(Napi::Env env, Napi::Function /*callback*/, CompletionQueue* queue,
                               void* /*data*/) {
  // No environment: it is being torn down, and its promises with it.
  if (env == nullptr) return;
  try {
    queue->drain(env);
  } catch (const Napi::Error&) {
    // A worker that is being terminated runs no more JavaScript: nothing waits for these promises.
  }
}

void CompletionQueue::drain(Napi::Env env) {
  for (auto& one : empty()) {
    const Napi::HandleScope scope(env);
    settle(env, one);
  }
  const Napi::HandleScope scope(env);
  answers_.flush(env);
  if (isIdle()) wakeUp_.Unref(env);
}

void CompletionQueue::settle(Napi::Env env, Finished& finished) {
  if ((finished.ticket & kPacked) != 0)
    return settlePacked(env, finished.ticket & ~kPacked, finished.outcome);
  const auto listening = listeners_.find(finished.ticket);
  if (listening != listeners_.end()) return tell(env, listening->second, std::get<Failure>(finished.outcome));
  auto node = open_.extract(finished.ticket);
  if (node.empty()) return;
  const auto& [deferred, shape] = node.mapped();
  if (auto* const success = std::get_if<Success>(&finished.outcome)) {
    deferred.Resolve(toJavaScript(env, *success, shape));
  } else {
    deferred.Reject(toJavaScript(env, std::get<Failure>(finished.outcome)));
  }
}

void CompletionQueue::settlePacked(Napi::Env env, uint64_t ticket, const Outcome& outcome) {
  --packedOpen_;
  if (const auto* const success = std::get_if<Success>(&outcome)) {
    answers_.succeeded(env, ticket, *success);
  } else {
    answers_.failed(env, ticket, std::get<Failure>(outcome));
  }
}

void CompletionQueue::tell(Napi::Env env, const Napi::FunctionReference& listener, const Failure& failure) {
  try {
    listener.Call({toJavaScript(env, failure)});
  } catch (const Napi::Error& error) {
    // Reported like any callback's exception: other operations still get their answers.
    napi_fatal_exception(env, error.Value());
  }
}

}  // namespace holdfast
