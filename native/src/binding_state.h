/// \file The state that one environment (main thread or worker thread) owns.
#pragma once

#include <napi.h>

#include <memory>
#include <optional>
#include <vector>

#include "binding_completions.h"
#include "binding_file_writer.h"
#include "ceremony_thread.h"
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
  /// The pools that scripts made and have not closed. The environment's end closes them, even those that no
  /// script refers to any more.
  std::vector<std::shared_ptr<Pool>> pools;
  /// The writers that scripts made and have not closed.
  std::vector<std::shared_ptr<WriterChannel>> writers;
  /// The ceremonies that scripts opened and have not closed.
  std::vector<std::shared_ptr<CeremonyThread>> ceremonies;
  /// When the environment, which is ending, stops waiting for calls inside modules. Set once its end has
  /// begun.
  std::optional<Deadline> endsBy;
  Napi::FunctionReference poolConstructor;
  Napi::FunctionReference materialConstructor;
  Napi::FunctionReference fileWriterConstructor;
  Napi::FunctionReference ceremonyConstructor;
};

}  // namespace holdfast
