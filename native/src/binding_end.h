/// \file The end of an environment, and of the process, with pools open and calls inside modules.
#pragma once

#include <napi.h>

#include "binding_state.h"

namespace holdfast {

/// Closes what is open when the environment ends, however it does, and waits three seconds at most, for
/// everything together. A process that ends while calls still hang ends then too, with its exit code, but
/// without its exit handlers: those of a module crash beside a thread that is inside it.
void registerEnd(Napi::Env env, AddonState* state);

}  // namespace holdfast
