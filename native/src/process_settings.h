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
  /// Restores only the signals that end a process by convention, and those that this process handles itself.
  /// A module may have its own handlers for the others, and for those that report a fault of a thread.
  void putBack() const;

 private:
  std::vector<std::pair<int, struct sigaction>> answers_;
  mode_t umask_ = 0;
};

}  // namespace holdfast
