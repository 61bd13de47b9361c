/// \file When a lane's thread entered the PKCS#11 call that it makes now: the operation timeout counts from
/// there.
#pragma once

#include <atomic>

#include "clock.h"

namespace holdfast {

/// While it lives, notes when the calls of this thread begin.
class CallTime {
 public:
  [[nodiscard]] explicit CallTime(std::atomic<Clock::time_point>& since);
  CallTime(const CallTime&) = delete;
  CallTime& operator=(const CallTime&) = delete;
  ~CallTime();

  /// Notes that a call begins, or that the one before has returned. So an operation that makes ten calls,
  /// each in good time, does not count as hung. Does nothing on a thread that is not watched.
  static void note();
};

}  // namespace holdfast
