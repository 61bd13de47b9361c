/// \file The end of an environment, and of the process, with pools open and calls inside modules.
#pragma once

#include <napi.h>

#include "binding_state.h"

namespace holdfast {

/// Closes all open pools when the environment ends, for whatever reason, and waits at most three seconds for
/// all of them together. If calls still hang then, the process ends with its exit code but without its exit
/// handlers: a module's handlers crash beside a thread that is inside it.
void registerEnd(Napi::Env env, AddonState* state);

}  // namespace holdfast
