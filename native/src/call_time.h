/// \file Since when a lane's thread is inside the PKCS#11 call that it makes now: its patience counts from
/// there.
#pragma once

#include <atomic>

#include "clock.h"

namespace holdfast {

/// While it lives, calls of this thread are noted there.
class CallTime {
 public:
  [[nodiscard]] explicit CallTime(std::atomic<Clock::time_point>& since);
  CallTime(const CallTime&) = delete;
  CallTime& operator=(const CallTime&) = delete;
  ~CallTime();

  /// A call begins, or the one before has come back: an operation that makes ten calls, each in good time,
  /// does not hang. Nothing on a thread that nobody watches.
  static void note();
};

}  // namespace holdfast
