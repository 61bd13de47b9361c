#include "environment.h"

#include <algorithm>
#include <condition_variable>
#include <cstdlib>

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
  std::vector<Former> former;
};

Holders& holders() {
  static NeverDestroyed<Holders> instance;
  return *instance;
}

std::optional<std::string> current(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

bool standAlready(const EnvironmentVariables& variables) {
  return std::ranges::all_of(variables,
                             [](const auto& variable) { return current(variable.first) == variable.second; });
}

}  // namespace

EnvironmentScope::EnvironmentScope(const EnvironmentVariables& variables) : holds_(!variables.empty()) {
  if (!holds_) return;
  Holders& known = holders();
  std::unique_lock lock(known.mutex);
  known.left.wait(lock, [&] { return known.count == 0 || standAlready(variables); });
  ++known.count;
  for (const auto& [name, value] : variables) {
    auto former = current(name);
    if (former == value) continue;
    ::setenv(name.c_str(), value.c_str(), 1);
    known.former.push_back({name, std::move(former)});
  }
}

EnvironmentScope::~EnvironmentScope() {
  if (!holds_) return;
  Holders& known = holders();
  const std::lock_guard lock(known.mutex);
  if (--known.count > 0) return;
  for (const auto& [name, value] : known.former) {
    if (value) {
      ::setenv(name.c_str(), value->c_str(), 1);
    } else {
      ::unsetenv(name.c_str());
    }
  }
  known.former.clear();
  known.left.notify_all();
}

}  // namespace holdfast
