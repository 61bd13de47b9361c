/// \file Settings of the process that a module may change while it is loaded, and that are restored after.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <utility>
#include <vector>

namespace holdfast {

/// How the process answers signals, and its umask. Some libraries bring a runtime that takes the signals of
/// the process over when it starts: SIGTERM would not stop the service any more, and SIGPIPE would end it.
class ProcessSettings {
 public:
  [[nodiscard]] static ProcessSettings current();
  /// Of the signals only those that end the process by convention, and those that it answers itself: the
  /// others, and those that say that a thread went wrong, may be a module's own.
  void putBack() const;

 private:
  std::vector<std::pair<int, struct sigaction>> answers_;
  mode_t umask_ = 0;
};

}  // namespace holdfast
