/// \file What one environment (main thread or worker thread) owns.
#pragma once

#include <napi.h>

#include <memory>
#include <optional>
#include <vector>

#include "binding_completions.h"
#include "pool.h"
#include "watchdog.h"

namespace holdfast {

/// The environment's instance data. Nothing of it is shared with another environment.
struct AddonState {
  explicit AddonState(Napi::Env env)
      : watchdog(std::make_shared<Watchdog>()),
        completions(std::make_shared<CompletionQueue>(env, watchdog)) {}

  static AddonState& of(Napi::Env env) { return *env.GetInstanceData<AddonState>(); }

  std::shared_ptr<Watchdog> watchdog;
  std::shared_ptr<CompletionQueue> completions;
  /// The pools that scripts made and have not closed, so that the environment's end can close them, also
  /// where a script let one go.
  std::vector<std::shared_ptr<Pool>> pools;
  /// Until when its end waits for calls inside modules, once it has begun.
  std::optional<Deadline> endsBy;
  Napi::FunctionReference poolConstructor;
  Napi::FunctionReference materialConstructor;
};

}  // namespace holdfast
