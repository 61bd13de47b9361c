/// \file `NativePool` and `NativeMaterialReference` for JavaScript.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>

#include "binding_values.h"
#include "material.h"
#include "pool.h"

namespace holdfast {

/// A material copied into the addon once; requests share it.
class MaterialBinding : public Napi::ObjectWrap<MaterialBinding> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit MaterialBinding(const Napi::CallbackInfo& info);

  [[nodiscard]] static MaterialPointer of(const Napi::Value& value);

 private:
  const MaterialPointer material_;
};

/// The methods of `NativePool`; those that lanes carry out are two tables in binding_pool.cc.
class PoolBinding : public Napi::ObjectWrap<PoolBinding> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit PoolBinding(const Napi::CallbackInfo& info);

 private:
  using Info = Napi::CallbackInfo;
  using Start = std::function<void(const Pool::Answer&)>;

  Napi::Value setOperationTimeout(const Info& info);
  Napi::Value addMember(const Info& info);
  Napi::Value openMember(const Info& info);
  Napi::Value setProfile(const Info& info);
  Napi::Value reopenMember(const Info& info);
  Napi::Value loginMember(const Info& info);
  Napi::Value inventory(const Info& info);
  Napi::Value tokenInfo(const Info& info);
  Napi::Value suspend(const Info& info);
  Napi::Value resume(const Info& info);
  Napi::Value closeMember(const Info& info);
  Napi::Value detachMember(const Info& info);
  Napi::Value close(const Info& info);
  Napi::Value cancel(const Info& info);
  Napi::Value statistics(const Info& info);

  /// Opens a promise and starts the operation that settles it.
  [[nodiscard]] static Napi::Value start(Napi::Env env, Shape shape, const Start& with);
  /// Posts any operation of lanes: a row of a table in binding_pool.cc.
  Napi::Value postControl(const Info& info);
  Napi::Value postData(const Info& info);

  std::shared_ptr<Pool> pool_;
  /// The ticket of setOperationTimeout's listener, until the pool is closed.
  std::optional<uint64_t> listener_;
};

}  // namespace holdfast
