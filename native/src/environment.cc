#include "environment.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "failure.h"
#include "mutex.h"
#include "never_destroyed.h"
#include "process_settings.h"

namespace holdfast {
namespace {

/// The scopes in force.
struct Holders {
  Mutex mutex;
  Condition left;
  int count GUARDED_BY(mutex) = 0;
  /// Changes when the present scopes have held the environment too long and no longer count.
  uint64_t turn GUARDED_BY(mutex) = 1;
  Deadline standsUntil GUARDED_BY(mutex);
  /// The values that the scopes set, and those that the process had before.
  EnvironmentVariables standing GUARDED_BY(mutex);
  std::map<std::string, std::optional<std::string>> former GUARDED_BY(mutex);
  ProcessSettings formerSettings GUARDED_BY(mutex);
};

Holders& holders() {
  static NeverDestroyed<Holders> instance;
  return *instance;
}

// Our mutex does not stop other code of the process from using its variables; see native/README.md.
// NOLINTBEGIN(concurrency-mt-unsafe)

std::optional<std::string> current(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

/// The process's own value, whichever scopes are in force.
std::optional<std::string> ownValue(const Holders& known, const std::string& name) REQUIRES(known.mutex) {
  const auto former = known.former.find(name);
  return former == known.former.end() ? current(name) : former->second;
}

/// The variables that differ from the process's own.
EnvironmentVariables changesOf(const Holders& known, const EnvironmentVariables& variables)
    REQUIRES(known.mutex) {
  EnvironmentVariables changes;
  for (const auto& variable : variables) {
    if (ownValue(known, variable.first) != variable.second) changes.insert(variable);
  }
  return changes;
}

void set(const std::string& name, const std::optional<std::string>& value) {
  if (value) {
    ::setenv(name.c_str(), value->c_str(), 1);
  } else {
    ::unsetenv(name.c_str());
  }
}

void stand(Holders& known, const EnvironmentVariables& changes) REQUIRES(known.mutex) {
  known.formerSettings = ProcessSettings::current();
  for (const auto& [name, value] : changes) {
    known.former[name] = current(name);
    set(name, value);
  }
  known.standing = changes;
}

void putFormerBack(Holders& known) REQUIRES(known.mutex) {
  for (const auto& [name, value] : known.former) set(name, value);
  known.formerSettings.putBack();
  known.former.clear();
  known.standing.clear();
  known.count = 0;
  ++known.turn;
  known.left.notifyAll();
}

void waitForTurn(Holders& known, MutexLock& lock, const EnvironmentVariables& changes, Deadline deadline)
    REQUIRES(known.mutex) {
  while (known.count > 0 && known.standing != changes) {
    if (Clock::now() >= known.standsUntil) return putFormerBack(known);
    if (Clock::now() >= deadline)
      throw failure(FailureKind::kLaneDeadline, "another module initialises in another environment");
    known.left.waitUntil(lock, std::min(known.standsUntil, deadline));
  }
}

}  // namespace

bool leaveTheSame(const EnvironmentVariables& one, const EnvironmentVariables& other) {
  Holders& known = holders();
  const MutexLock lock(known.mutex);
  return changesOf(known, one) == changesOf(known, other);
}

EnvironmentScope::EnvironmentScope(const EnvironmentVariables& variables, Deadline deadline) {
  Holders& known = holders();
  MutexLock lock(known.mutex);
  const auto changes = changesOf(known, variables);
  waitForTurn(known, lock, changes, deadline);
  if (known.count++ == 0) stand(known, changes);
  known.standsUntil = Clock::now() + kLongestStand;
  turn_ = known.turn;
}

EnvironmentScope::~EnvironmentScope() {
  Holders& known = holders();
  const MutexLock lock(known.mutex);
  if (turn_ == known.turn && --known.count == 0) putFormerBack(known);
}

// NOLINTEND(concurrency-mt-unsafe)

}  // namespace holdfast
