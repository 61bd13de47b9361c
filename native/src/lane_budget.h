/// \file How many lanes a member may have at this moment.
#pragma once

#include "clock.h"

namespace holdfast {

/// Its limit, until the token has no session for one more (CKR_SESSION_COUNT: other applications count too).
/// Then one lane less than there are, which leaves a session for inventories and other applications. After a
/// while one more is tried, each time later. Never less than one.
class LaneBudget {
 public:
  /// A new start, as after a login.
  void reset(int limit);
  int target() const { return target_; }
  /// The token had no session for one beside these.
  void refused(int lanes, Clock::time_point now);
  /// Whether one may be tried beside these.
  [[nodiscard]] bool mayGrow(int lanes, Clock::time_point now);

  static constexpr auto kFirstWait = std::chrono::seconds(10);
  static constexpr auto kLongestWait = std::chrono::minutes(10);

 private:
  int limit_ = 1;
  int target_ = 1;
  Clock::duration wait_ = kFirstWait;
  Clock::time_point growAt_;
};

}  // namespace holdfast
