#include "binding_end.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>

namespace holdfast {
namespace {

/// How long all ending environments together wait for running calls. Only a hung call makes them wait that
/// long.
constexpr auto kEndBound = std::chrono::seconds(3);

/// When the wait of the process's main environment is over. Workers that end because of it wait no longer.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): all environments share it.
std::atomic<Deadline> processEnd = Deadline::max();

void endAtOnceWhereCallsHang(int exitCode, void* /*unused*/) {
  if (Threads::aliveInProcess() > 0) ::_exit(exitCode);
}

/// The end of the environment's wait. Set once: the event `exit` and the cleanup hook share it.
Deadline endOf(AddonState& state) {
  if (state.endsBy) return *state.endsBy;
  state.endsBy = std::min(Clock::now() + kEndBound, processEnd.load());
  if (onMainThread()) processEnd = *state.endsBy;
  return *state.endsBy;
}

/// Runs before Node takes the environment apart: afterwards nothing may call into it. May run twice.
void endEnvironment(AddonState* state) {
  const Deadline deadline = endOf(*state);
  state->completions->end();
  for (const auto& writer : state->writers) writer->end();
  for (const auto& ceremony : state->ceremonies) ceremony->end();
  for (const auto& pool : state->pools) pool->beginAbandoning(deadline);
  // Needed even if everything was closed long ago: a thread that ends beside `exit` crashes in OpenSSL's
  // clean-up.
  state->watchdog->threads().join(deadline);
  // Handlers run in the opposite order, so this one runs before those of every module loaded by now. It
  // cannot be set earlier: Node reports an uncaught exception after the event `exit`.
  if (Threads::aliveInProcess() > 0) ::on_exit(endAtOnceWhereCallsHang, nullptr);
}

}  // namespace

/// `process.exit` runs no cleanup hooks on the main thread, and a terminated worker emits no 'exit', so this
/// registers both.
void registerEnd(Napi::Env env, AddonState* state) {
  env.AddCleanupHook(endEnvironment, state);
  const auto onExit = [state](const Napi::CallbackInfo&) { endEnvironment(state); };
  const auto process = env.Global().Get("process").As<Napi::Object>();
  const auto once = process.Get("once").As<Napi::Function>();
  once.Call(process, {Napi::String::New(env, "exit"), Napi::Function::New(env, onExit, "closePools")});
}

}  // namespace holdfast
