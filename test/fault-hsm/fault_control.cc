#include "fault_control.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

namespace {

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

void FaultControl::readEnvironment() {
  const std::lock_guard lock(mutex_);
  controlPath_ = variable("HOLDFAST_FAULT_CONTROL");
  logPath_ = variable("HOLDFAST_FAULT_LOG");
}

std::string FaultControl::controlPath() const {
  const std::lock_guard lock(mutex_);
  return controlPath_;
}

std::optional<FaultControl::Rule> FaultControl::ruleFor(const std::string& functionName) const {
  std::ifstream file(controlPath());
  std::optional<Rule> general;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    std::string value;
    Rule rule;
    words >> name >> rule.action >> value;
    rule.value = std::strtoul(value.c_str(), nullptr, 0);
    if (name == functionName) return rule;
    if (name == "*") general = rule;
  }
  return general;
}

void FaultControl::log(const char* functionName) const {
  std::string path;
  {
    const std::lock_guard lock(mutex_);
    path = logPath_;
  }
  if (path.empty()) return;
  // One append of one line: threads and processes do not mix theirs.
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) return;
  const std::string line = std::string(functionName) + "\n";
  [[maybe_unused]] const ssize_t written = ::write(file, line.data(), line.size());
  ::close(file);
}

std::optional<CK_RV> FaultControl::before(const char* functionName) {
  log(functionName);
  auto rule = ruleFor(functionName);
  while (rule && rule->action == "hang") {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    rule = ruleFor(functionName);
  }
  if (!rule) return std::nullopt;
  if (rule->action == "delay") std::this_thread::sleep_for(std::chrono::milliseconds(rule->value));
  return rule->action == "rv" ? std::optional<CK_RV>(rule->value) : std::nullopt;
}

CK_FLAGS FaultControl::addedTokenFlags() const {
  const auto rule = ruleFor("C_GetTokenInfo");
  return rule && rule->action == "flags" ? rule->value : 0;
}
