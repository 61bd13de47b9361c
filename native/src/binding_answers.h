/// \file Packed answers, on the last step into JavaScript.
#pragma once

#include <napi.h>

#include <optional>

#include "answer_batch.h"

namespace holdfast {

/// Calls the two functions that `receiveAnswers` of src/hsm/native-answers.ts was given. On the JavaScript
/// thread. Until there are such functions, answers are dropped.
class AnswerListener {
 public:
  /// From the arguments of `receiveAnswers`.
  void listen(const Napi::CallbackInfo& info);

  /// It waits in the batch until that is full, or flushed.
  void succeeded(Napi::Env env, uint64_t ticket, const Success& success);
  /// Flushes what came before, so that answers keep their order.
  void failed(Napi::Env env, uint64_t ticket, const Failure& failure);
  void flush(Napi::Env env);
  /// The environment ends, perhaps while a receiver runs.
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
