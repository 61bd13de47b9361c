#include <napi.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <system_error>

#include "binding_arguments.h"
#include "binding_ceremony.h"
#include "binding_end.h"
#include "binding_file_writer.h"
#include "binding_pool.h"
#include "binding_state.h"
#include "control_task.h"
#include "file_lock.h"
#include "freed_memory.h"
#include "service_notify.h"
#include "slot_scan.h"

namespace holdfast {
namespace {

Napi::Value returnValuesOf(const Napi::CallbackInfo& info) {
  auto array = Napi::Array::New(info.Env(), returnValues().size());
  uint32_t index = 0;
  for (const auto& row : returnValues()) array.Set(index++, toJavaScript(info.Env(), row));
  return array;
}

Napi::Value acquireModuleLock(const Napi::CallbackInfo& info) {
  auto& state = AddonState::of(info.Env());
  const auto pending = state.completions->open(info.Env(), Shape::kPlain);
  const Deadline deadline = deadlineOf(info[2]);
  const auto work = [module = moduleOptionsOf(info[0]), directory = stringOf(info[1]),
                     deadline](Completion& answer) {
    // If the lock comes too late, its destructor releases it.
    answer.complete(Success{-1, 0, FileLock::ofModule(module, directory, deadline)});
  };
  const auto late = [] { return failure(FailureKind::kLockHeld, "another process holds the module's lock"); };
  ControlTask::start(state.watchdog, pending.completion, deadline, work, late);
  return pending.promise;
}

Napi::Value acquireLoginLock(const Napi::CallbackInfo& info) {
  auto& state = AddonState::of(info.Env());
  const auto pending = state.completions->open(info.Env(), Shape::kPlain);
  const Deadline deadline = deadlineOf(info[3]);
  const auto work = [serialNumber = stringOf(info[0]), version = stringOf(info[1]),
                     directory = stringOf(info[2]), deadline](Completion& answer) {
    answer.complete(Success{-1, 0, FileLock::ofLogin(serialNumber, version, directory, deadline)});
  };
  const auto late = [] {
    return failure(FailureKind::kLockHeld, "an earlier login holds the lock of its PIN");
  };
  ControlTask::start(state.watchdog, pending.completion, deadline, work, late);
  return pending.promise;
}

Napi::Value listTokens(const Napi::CallbackInfo& info) {
  auto& state = AddonState::of(info.Env());
  const auto pending = state.completions->open(info.Env(), Shape::kPlain);
  const Deadline deadline = deadlineOf(info[1]);
  const auto work = [options = moduleOptionsOf(info[0]), watchdog = state.watchdog,
                     deadline](Completion& answer) {
    const SlotScan scan(watchdog->threads());
    const auto module = Module::open(options, nullptr, deadline);
    answer.complete(Success{-1, 0, Token::list(module, scan, deadline)});
  };
  ControlTask::start(state.watchdog, pending.completion, deadline, work);
  return pending.promise;
}

Napi::Value createPool(const Napi::CallbackInfo& info) {
  return AddonState::of(info.Env()).poolConstructor.New({info[0]});
}

Napi::Value createMaterial(const Napi::CallbackInfo& info) {
  return AddonState::of(info.Env()).materialConstructor.New({info[0]});
}

Napi::Value createFileWriter(const Napi::CallbackInfo& info) {
  return AddonState::of(info.Env()).fileWriterConstructor.New({info[0]});
}

void receiveAnswers(const Napi::CallbackInfo& info) {
  AddonState::of(info.Env()).completions->answers().listen(info);
}

void keepFreedMemoryClean(const Napi::CallbackInfo& /*info*/) { overwriteFreedMemory(); }

void cleanFreedMemory(const Napi::CallbackInfo& /*info*/) {
  overwriteThreadCache();
  overwriteDeadStack();
}

void disableCoreDumps(const Napi::CallbackInfo& info) {
  const rlimit none{0, 0};
  const bool done = ::setrlimit(RLIMIT_CORE, &none) == 0 && ::prctl(PR_SET_DUMPABLE, 0) == 0;
  if (!done) throw Napi::Error::New(info.Env(), "core dumps could not be disabled");
}

void notifyServiceManager(const Napi::CallbackInfo& info) {
  const int failed = notifyService(stringOf(info[0]), stringOf(info[1]));
  if (failed == 0) return;
  const std::string reason = std::system_category().message(failed);
  throw Napi::Error::New(info.Env(), "the service manager could not be notified: " + reason);
}

// Whether a descriptor takes a write now, without waiting. A closed or broken descriptor counts as taking
// writes, and the write reports the error.
Napi::Value takesWrites(const Napi::CallbackInfo& info) {
  pollfd asked{intOf(info[0]), POLLOUT, 0};
  return Napi::Boolean::New(info.Env(), ::poll(&asked, 1, 0) > 0);
}

void exitNow(const Napi::CallbackInfo& info) { ::_exit(intOf(info[0])); }

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  // Node owns instance data and deletes it after the cleanup hooks.
  auto owned = std::make_unique<AddonState>(env);
  owned->poolConstructor = Napi::Persistent(PoolBinding::define(env));
  owned->materialConstructor = Napi::Persistent(MaterialBinding::define(env));
  owned->ceremonyConstructor = Napi::Persistent(CeremonyBinding::define(env));
  owned->fileWriterConstructor = Napi::Persistent(FileWriterBinding::define(env));
  registerEnd(env, owned.get());
  env.SetInstanceData(owned.release());
  exports.Set("returnValues", Napi::Function::New<returnValuesOf>(env, "returnValues"));
  exports.Set("acquireModuleLock", Napi::Function::New<acquireModuleLock>(env, "acquireModuleLock"));
  exports.Set("acquireLoginLock", Napi::Function::New<acquireLoginLock>(env, "acquireLoginLock"));
  exports.Set("listTokens", Napi::Function::New<listTokens>(env, "listTokens"));
  exports.Set("createPool", Napi::Function::New<createPool>(env, "createPool"));
  exports.Set("createMaterial", Napi::Function::New<createMaterial>(env, "createMaterial"));
  exports.Set("createFileWriter", Napi::Function::New<createFileWriter>(env, "createFileWriter"));
  exports.Set("receiveAnswers", Napi::Function::New<receiveAnswers>(env, "receiveAnswers"));
  exports.Set("openCeremony", Napi::Function::New<openCeremony>(env, "openCeremony"));
  exports.Set("readGenerations", Napi::Function::New<readGenerations>(env, "readGenerations"));
  exports.Set("checkTrust", Napi::Function::New<checkTrust>(env, "checkTrust"));
  exports.Set("keepFreedMemoryClean", Napi::Function::New<keepFreedMemoryClean>(env, "keepFreedMemoryClean"));
  exports.Set("cleanFreedMemory", Napi::Function::New<cleanFreedMemory>(env, "cleanFreedMemory"));
  exports.Set("disableCoreDumps", Napi::Function::New<disableCoreDumps>(env, "disableCoreDumps"));
  exports.Set("notifyServiceManager", Napi::Function::New<notifyServiceManager>(env, "notifyServiceManager"));
  exports.Set("takesWrites", Napi::Function::New<takesWrites>(env, "takesWrites"));
  exports.Set("exitNow", Napi::Function::New<exitNow>(env, "exitNow"));
  return exports;
}

}  // namespace
}  // namespace holdfast

// The macro of node-addon-api wants a name at file scope.
static Napi::Object initializeAddon(Napi::Env env, Napi::Object exports) {
  return holdfast::initialize(env, exports);
}

NODE_API_MODULE(holdfast, initializeAddon)
