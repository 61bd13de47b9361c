/// \file Conversion to JavaScript: the transfer types of src/hsm/native.ts.
#pragma once

#include <napi.h>

#include <vector>

#include "member.h"
#include "operation.h"
#include "return_values.h"

namespace holdfast {

/// The form of the value that a promise resolves with.
enum class Shape {
  /// The value itself.
  kPlain,
  /// `NativeResult`: member, epoch, value.
  kResult,
  /// `{ epoch }`.
  kEpoch,
};

/// The target of `held` in a `NativeLock`: the lock, until JavaScript releases it.
using HeldLock = std::shared_ptr<std::shared_ptr<FileLock>>;

/// Copies the value. Secrets in `success` are zeroed when it is destroyed.
[[nodiscard]] Napi::Value toJavaScript(Napi::Env env, Success& success, Shape shape);
/// An Error with the properties of `NativeFailure`.
[[nodiscard]] Napi::Value toJavaScript(Napi::Env env, const Failure& failure);
/// An array of `NativeMemberStatistics`.
[[nodiscard]] Napi::Value toJavaScript(Napi::Env env, const std::vector<MemberStatistics>& statistics);
/// A `NativeReturnValue`.
[[nodiscard]] Napi::Value toJavaScript(Napi::Env env, const ReturnValue& row);

}  // namespace holdfast
