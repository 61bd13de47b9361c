/// \file How many lanes a member may have at this moment.
#pragma once

#include "clock.h"

namespace holdfast {

/// The member's limit, until the token has no session for one more lane (CKR_SESSION_COUNT: other
/// applications count too). Then the budget is one lane less than there are, which leaves a session for
/// inventories and other applications. After a while one more lane is tried. The wait before each further try
/// is longer. The budget is never less than one.
class LaneBudget {
 public:
  /// Starts anew, as after a login.
  void reset(int limit);
  int target() const { return target_; }
  /// Notes that the token had no session for one more lane than these.
  void refused(int lanes, Clock::time_point now);
  /// Whether one more lane than these may be tried.
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
