#include "instance.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <thread>

namespace faulthsm {
namespace {

constexpr double kLookMs = 5;

uint64_t nowNs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

uint64_t threadId() {
  static thread_local const auto id = static_cast<uint64_t>(::syscall(SYS_gettid));
  return id;
}

}  // namespace

Instance& instance() {
  // Never destroyed: calls may hang beyond the end of main.
  static auto* const one = new Instance;
  return *one;
}

Instance::Instance() : page_(&mapControlPage("")) {}

void Instance::readEnvironment() {
  const char* const folder = std::getenv("HOLDFAST_FAULT_CONTROL");
  const char* const number = std::getenv("HOLDFAST_FAULT_SERIAL");
  const std::unique_lock lock(mutex_);
  serialNumber_ = number == nullptr ? "" : number;
  if (folder_ == (folder == nullptr ? "" : folder)) return;
  folder_ = folder == nullptr ? "" : folder;
  page_ = &mapControlPage(folder_);
  script_ = nullptr;
  scriptNumber_ = 0;
}

std::string Instance::serialNumber() {
  const std::shared_lock lock(mutex_);
  return serialNumber_;
}

std::shared_ptr<const Script> Instance::script() {
  for (;;) {
    const uint64_t number = setting(kScript);
    {
      const std::shared_lock lock(mutex_);
      if (number == scriptNumber_) return script_;
    }
    const std::unique_lock lock(mutex_);
    if (number == scriptNumber_) return script_;
    auto loaded = number == 0 ? nullptr : Script::load(folder_, number);
    // A newer script has replaced that one.
    if (!loaded && number != 0 && setting(kScript) != number) continue;
    script_ = std::move(loaded);
    scriptNumber_ = number;
    return script_;
  }
}

std::optional<Decision> Instance::meet(FunctionNumber function, uint64_t released, const KeyOfCall& key) {
  auto current = script();
  if (current) sleepFor(current->latencyMs(function));
  for (;;) {
    const uint64_t number = setting(kScript);
    current = script();
    auto decision = current ? current->next(function, key) : std::nullopt;
    if (!decision || decision->action != Action::kHang) {
      if (decision) sleepFor(decision->delayMs);
      return decision;
    }
    if (!hang(number, released)) continue;
    return decision->value ? std::optional(Decision{Action::kAnswer, decision->value}) : std::nullopt;
  }
}

bool Instance::hang(uint64_t script, uint64_t released) const {
  while (setting(kScript) == script && setting(kReleased) == released) sleepFor(kLookMs);
  return setting(kReleased) != released;
}

void dieNow() {
  if (const uint64_t other = instance().setting(kDiesToo); other != 0)
    ::kill(static_cast<pid_t>(other), SIGKILL);
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();
}

void dieIn(std::optional<uint64_t> microseconds) {
  if (!microseconds) dieNow();
  std::thread([wait = std::chrono::microseconds(*microseconds)] {
    std::this_thread::sleep_for(wait);
    dieNow();
  }).detach();
}

TracedCall::TracedCall(FunctionNumber function, CK_ULONG session)
    : page_(instance().page()),
      released_(instance().setting(kReleased)),
      function_(function),
      session_(session),
      startNs_(nowNs()) {
  page_.counts[function_].entered.fetch_add(1);
}

TracedCall::~TracedCall() {
  const uint64_t number = page_.calls.fetch_add(1) + 1;
  TraceEntry& entry = page_.trace[number % kTraceRoom];
  entry.number.store(0);
  entry.function.store(function_);
  entry.session.store(session_);
  entry.rv.store(rv_);
  entry.startNs.store(startNs_);
  const uint64_t endNs = nowNs();
  entry.endNs.store(endNs);
  entry.processId.store(static_cast<uint64_t>(::getpid()));
  entry.threadId.store(threadId());
  entry.number.store(number);
  if (rv_ != CKR_OK) page_.counts[function_].failed.fetch_add(1);
  page_.counts[function_].insideNs.fetch_add(endNs - startNs_);
  page_.counts[function_].returned.fetch_add(1);
}

}  // namespace faulthsm
