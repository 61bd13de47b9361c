#include "environment.h"

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <vector>

#include "failure.h"
#include "never_destroyed.h"

namespace holdfast {
namespace {

struct Former {
  std::string name;
  std::optional<std::string> value;
};

/// Who stands in the environment, and what the first of them found there.
struct Holders {
  std::mutex mutex;
  std::condition_variable left;
  int count = 0;
  /// Changes when scopes that stood too long are passed over.
  uint64_t turn = 1;
  Deadline standsUntil;
  std::vector<Former> former;
};

Holders& holders() {
  static NeverDestroyed<Holders> instance;
  return *instance;
}

// Our mutex keeps nobody else of the process away from its variables; native/README.md says what to do then.
// NOLINTBEGIN(concurrency-mt-unsafe)

std::optional<std::string> current(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

bool standAlready(const EnvironmentVariables& variables) {
  return std::ranges::all_of(variables,
                             [](const auto& variable) { return current(variable.first) == variable.second; });
}

void set(const std::string& name, const std::optional<std::string>& value) {
  if (value) {
    ::setenv(name.c_str(), value->c_str(), 1);
  } else {
    ::unsetenv(name.c_str());
  }
}

void putFormerBack(Holders& known) {
  for (const auto& [name, value] : known.former) set(name, value);
  known.former.clear();
  known.count = 0;
  ++known.turn;
  known.left.notify_all();
}

void waitForTurn(Holders& known, std::unique_lock<std::mutex>& lock, const EnvironmentVariables& variables,
                 Deadline deadline) {
  while (known.count > 0 && !standAlready(variables)) {
    if (Clock::now() >= known.standsUntil) return putFormerBack(known);
    if (Clock::now() >= deadline)
      throw failure(FailureKind::kLaneDeadline, "another module initialises in another environment");
    known.left.wait_until(lock, std::min(known.standsUntil, deadline));
  }
}

}  // namespace

EnvironmentScope::EnvironmentScope(const EnvironmentVariables& variables, Deadline deadline) {
  if (variables.empty()) return;
  Holders& known = holders();
  std::unique_lock lock(known.mutex);
  waitForTurn(known, lock, variables, deadline);
  ++known.count;
  known.standsUntil = Clock::now() + kLongestStand;
  turn_ = known.turn;
  for (const auto& [name, value] : variables) {
    auto former = current(name);
    if (former == value) continue;
    set(name, value);
    known.former.push_back({name, std::move(former)});
  }
}

EnvironmentScope::~EnvironmentScope() {
  if (turn_ == 0) return;
  Holders& known = holders();
  const std::lock_guard lock(known.mutex);
  if (turn_ == known.turn && --known.count == 0) putFormerBack(known);
}

// NOLINTEND(concurrency-mt-unsafe)

}  // namespace holdfast
