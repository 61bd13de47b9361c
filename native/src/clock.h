/// \file Deadlines. The steady clock of libstdc++ is CLOCK_MONOTONIC, the one behind `process.hrtime`.
#pragma once

#include <chrono>

namespace holdfast {

/// The clock, which never goes back and cannot be set.
using Clock = std::chrono::steady_clock;
/// A time of that clock, never a duration.
using Deadline = Clock::time_point;

/// A deadline from absolute milliseconds of CLOCK_MONOTONIC.
inline Deadline deadlineFromMilliseconds(double milliseconds) {
  // A deadline that stands for "never" must not overflow the clock's 63 bits of nanoseconds.
  constexpr double kFarthest = 9.0e12;
  const double bounded = milliseconds < 0 ? 0 : (milliseconds < kFarthest ? milliseconds : kFarthest);
  const std::chrono::duration<double, std::milli> since(bounded);
  return Deadline(std::chrono::duration_cast<Clock::duration>(since));
}

/// Milliseconds, the unit in which JavaScript counts.
inline double toMilliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace holdfast
