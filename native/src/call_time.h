/// \file When a lane's thread entered the PKCS#11 call that it makes now: the operation timeout counts from
/// there.
#pragma once

#include <atomic>

#include "clock.h"

namespace holdfast {

/// While it lives, the calls of this thread are noted in it.
class CallTime {
 public:
  [[nodiscard]] explicit CallTime(std::atomic<Clock::time_point>& since);
  CallTime(const CallTime&) = delete;
  CallTime& operator=(const CallTime&) = delete;
  ~CallTime();

  /// A call begins, or the one before has returned: an operation that makes ten calls, each in good time,
  /// does not hang. Does nothing on a thread that is not watched.
  static void note();
};

}  // namespace holdfast
