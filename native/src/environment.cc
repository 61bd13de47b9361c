#include "environment.h"

#include <cstdlib>

#include "never_destroyed.h"

namespace holdfast {
namespace {

std::mutex& processMutex() {
  static NeverDestroyed<std::mutex> mutex;
  return *mutex;
}

std::optional<std::string> current(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

}  // namespace

EnvironmentScope::EnvironmentScope(const EnvironmentVariables& variables) {
  if (variables.empty()) return;
  lock_ = std::unique_lock(processMutex());
  for (const auto& [name, value] : variables) {
    auto former = current(name);
    if (former == value) continue;
    ::setenv(name.c_str(), value.c_str(), 1);
    former_.push_back({name, std::move(former)});
  }
}

EnvironmentScope::~EnvironmentScope() {
  for (const auto& [name, value] : former_) {
    if (value) {
      ::setenv(name.c_str(), value->c_str(), 1);
    } else {
      ::unsetenv(name.c_str());
    }
  }
}

}  // namespace holdfast
