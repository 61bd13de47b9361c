/// \file The context in which a lane runs an operation.
#pragma once

#include <atomic>

#include "epoch.h"
#include "failure.h"
#include "nonces.h"
#include "session.h"
#include "token.h"

namespace holdfast {

/// The value of `insideSince` while a lane is not inside the module.
constexpr auto kNotInside = Clock::time_point::max();

/// References that are valid for one run on one lane's thread.
struct OperationContext {
  Token& token;
  Session& session;
  HandleCache& cache;
  const Profile& profile;
  SelfTest& selfTest;
  NonceStock& nonces;
  Deadline deadline;
  /// When the lane entered its call; kNotInside while it waits for another lane. Such a lane comes back by
  /// itself at its deadline, so the watchdog need not give it up.
  std::atomic<Clock::time_point>& insideSince;

  CK_FUNCTION_LIST& functions() const { return session.functions(); }
  /// The holder of this run's locks, the same as Request::holder: the dispatcher expels it if the run hangs.
  Holder holder() const { return &insideSince; }
};

/// Marks the lane as outside the module and waits for other lanes. Call `requireTime(context, bool(lock))`
/// next: it marks the lane as inside again.
TimedSharedMutex::Lock lockExclusive(OperationContext& context, TimedSharedMutex& mutex);
/// Like lockExclusive, but beside other shared holders. A waiting exclusive holder goes first.
TimedSharedMutex::Lock lockShared(OperationContext& context, TimedSharedMutex& mutex);

/// Throws `late` once the deadline has passed. For loops over a token's answers, between two calls: no loop
/// may outlive its request, however many answers the token has.
void requireTimeLeft(const OperationContext& context, FailureKind late = FailureKind::kOverdue);

/// Marks the lane as inside if it has the lock and the deadline has not passed; throws `queue-deadline`
/// otherwise.
void requireTime(const OperationContext& context, bool locked);

}  // namespace holdfast
