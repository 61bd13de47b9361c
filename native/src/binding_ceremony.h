/// \file `NativeCeremony` for JavaScript, and what else concerns the generations of a cluster.
#pragma once

#include <napi.h>

#include <memory>

#include "ceremony_thread.h"

namespace holdfast {

/// The methods of `NativeCeremony`.
class CeremonyBinding : public Napi::ObjectWrap<CeremonyBinding> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit CeremonyBinding(const Napi::CallbackInfo& info);

  /// The object for an open ceremony.
  [[nodiscard]] static Napi::Value wrap(Napi::Env env, std::shared_ptr<CeremonyThread> ceremony);

 private:
  using Info = Napi::CallbackInfo;

  Napi::Value logIn(const Info& info);
  Napi::Value prepare(const Info& info);
  Napi::Value complete(const Info& info);
  Napi::Value close(const Info& info);

  std::shared_ptr<CeremonyThread> ceremony_;
};

/// `NativeCeremonies.openCeremony`.
Napi::Value openCeremony(const Napi::CallbackInfo& info);
/// `NativeCeremonies.readGenerations`.
Napi::Value readGenerations(const Napi::CallbackInfo& info);
/// `NativeCeremonies.checkTrust`.
Napi::Value checkTrust(const Napi::CallbackInfo& info);

}  // namespace holdfast
