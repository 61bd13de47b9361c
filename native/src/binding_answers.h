/// \file Packed answers, on the last step into JavaScript.
#pragma once

#include <napi.h>

#include <optional>

#include "answer_batch.h"

namespace holdfast {

/// Calls, on the JavaScript thread, the two functions that `receiveAnswers` of src/hsm/native-answers.ts was
/// given. Until it has been called, answers are dropped.
class AnswerListener {
 public:
  /// Takes the arguments of `receiveAnswers`.
  void listen(const Napi::CallbackInfo& info);

  /// Adds an answer to the batch, where it waits until the batch is full or flushed.
  void succeeded(Napi::Env env, uint64_t ticket, const Success& success);
  /// Sends a failure, after a flush: answers keep their order.
  void failed(Napi::Env env, uint64_t ticket, const Failure& failure);
  void flush(Napi::Env env);
  /// Called when the environment ends, perhaps while a receiver runs.
  void forget();

 private:
  void sendAlone(Napi::Env env, uint64_t ticket, const Success& success);
  void send(Napi::Env env, std::optional<AnswerBatch>& batch, const Napi::Uint8Array& bytes);

  std::optional<AnswerBatch> batch_;
  Napi::Reference<Napi::Float64Array> numbers_;
  Napi::Reference<Napi::Uint8Array> bytes_;
  Napi::FunctionReference onAnswers_;
  Napi::FunctionReference onFailure_;
};

}  // namespace holdfast
