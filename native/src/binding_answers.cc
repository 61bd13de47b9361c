#include "binding_answers.h"

#include "binding_values.h"

namespace holdfast {
namespace {

/// Calls a receiver. Whatever it throws, other operations still get their answers.
void call(Napi::Env env, const Napi::FunctionReference& function,
          const std::initializer_list<napi_value>& arguments) {
  try {
    function.Call(arguments);
  } catch (const Napi::Error& error) {
    napi_fatal_exception(env, error.Value());
  }
}

/// Clears a batch when the scope ends, even by an exception. The batch may be gone by then.
class ClearsAtEnd {
 public:
  explicit ClearsAtEnd(std::optional<AnswerBatch>& batch) : batch_(batch) {}
  ClearsAtEnd(const ClearsAtEnd&) = delete;
  ClearsAtEnd& operator=(const ClearsAtEnd&) = delete;
  ~ClearsAtEnd() {
    if (batch_) batch_->clear();
  }

 private:
  std::optional<AnswerBatch>& batch_;
};

std::span<double> spanOf(Napi::Float64Array array) { return {array.Data(), array.ElementLength()}; }
std::span<uint8_t> spanOf(Napi::Uint8Array array) { return {array.Data(), array.ByteLength()}; }

}  // namespace

void AnswerListener::listen(const Napi::CallbackInfo& info) {
  const auto numbers = info[0].As<Napi::Float64Array>();
  const auto bytes = info[1].As<Napi::Uint8Array>();
  numbers_ = Napi::Persistent(numbers);
  bytes_ = Napi::Persistent(bytes);
  onAnswers_ = Napi::Persistent(info[2].As<Napi::Function>());
  onFailure_ = Napi::Persistent(info[3].As<Napi::Function>());
  batch_.emplace(spanOf(numbers), spanOf(bytes));
}

void AnswerListener::succeeded(Napi::Env env, uint64_t ticket, const Success& success) {
  if (!batch_ || batch_->add(ticket, success)) return;
  flush(env);
  // The receiver may have ended the environment: `process.exit` in a worker thread.
  if (!batch_ || batch_->add(ticket, success)) return;
  sendAlone(env, ticket, success);
}

void AnswerListener::failed(Napi::Env env, uint64_t ticket, const Failure& failure) {
  if (!batch_) return;
  flush(env);
  if (!batch_) return;
  call(env, onFailure_, {Napi::Number::New(env, static_cast<double>(ticket)), toJavaScript(env, failure)});
}

void AnswerListener::flush(Napi::Env env) {
  if (batch_ && batch_->size() > 0) send(env, batch_, bytes_.Value());
}

void AnswerListener::forget() {
  batch_.reset();
  numbers_.Reset();
  bytes_.Reset();
  onAnswers_.Reset();
  onFailure_.Reset();
}

/// Sends an answer that is longer than the batch's buffer.
void AnswerListener::sendAlone(Napi::Env env, uint64_t ticket, const Success& success) {
  const auto bytes = Napi::Uint8Array::New(env, AnswerBatch::lengthOf(success));
  std::optional<AnswerBatch> alone(std::in_place, spanOf(numbers_.Value()), spanOf(bytes));
  if (alone->add(ticket, success)) send(env, alone, bytes);
}

void AnswerListener::send(Napi::Env env, std::optional<AnswerBatch>& batch, const Napi::Uint8Array& bytes) {
  const ClearsAtEnd cleared(batch);
  call(env, onAnswers_, {Napi::Number::New(env, static_cast<double>(batch->size())), bytes});
}

}  // namespace holdfast
