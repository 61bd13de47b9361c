#include "process_settings.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>

namespace holdfast {
namespace {

constexpr int kSignals = 32;
constexpr std::array kEnding{SIGHUP, SIGINT, SIGTERM};
/// Runtimes turn these into exceptions.
constexpr std::array kOfThread{SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS};

bool isOurs(int signal, const struct sigaction& answer) {
  if (std::ranges::find(kOfThread, signal) != kOfThread.end()) return false;
  return answer.sa_handler != SIG_DFL || std::ranges::find(kEnding, signal) != kEnding.end();
}

/// The umask can only be read by setting it. 077: a file made at that instant is private.
mode_t readUmask() {
  const mode_t current = ::umask(077);
  ::umask(current);
  return current;
}

}  // namespace

ProcessSettings ProcessSettings::current() {
  ProcessSettings settings;
  for (int signal = 1; signal < kSignals; ++signal) {
    struct sigaction answer {};
    if (::sigaction(signal, nullptr, &answer) != 0 || !isOurs(signal, answer)) continue;
    settings.answers_.emplace_back(signal, answer);
  }
  settings.umask_ = readUmask();
  return settings;
}

void ProcessSettings::putBack() const {
  for (const auto& [signal, answer] : answers_) ::sigaction(signal, &answer, nullptr);
  ::umask(umask_);
}

}  // namespace holdfast
