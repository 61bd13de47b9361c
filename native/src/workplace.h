/// \file What an operation works with while a lane runs it.
#pragma once

#include <atomic>

#include "epoch.h"
#include "failure.h"
#include "nonces.h"
#include "session.h"
#include "token.h"

namespace holdfast {

/// Since when a lane is inside the module, while it is not.
constexpr auto kNotInside = Clock::time_point::max();

/// References that hold for one run on one lane's thread.
struct Workplace {
  Token& token;
  Session& session;
  HandleCache& cache;
  const Profile& profile;
  SelfTest& selfTest;
  NonceStock& nonces;
  Deadline deadline;
  /// kNotInside while the lane waits for another lane: past its deadline it comes back by itself, so the
  /// watchdog need not give it up.
  std::atomic<Clock::time_point>& insideSince;

  CK_FUNCTION_LIST& functions() const { return session.functions(); }
  /// By which the dispatcher knows the passages of a run that hangs: see Request::holder.
  Holder holder() const { return &insideSince; }
};

/// Say that the lane is outside, and wait for other lanes. `requireTime(workplace, bool(passage))` comes
/// next: it says that the lane goes in.
Turnstile::Passage enterExclusive(Workplace& workplace, Turnstile& turnstile);
/// Others that share go in beside it; an exclusive one that waits goes first.
Turnstile::Passage enterShared(Workplace& workplace, Turnstile& turnstile);

/// Between two calls of a loop over a token's answers: throws `late` once the deadline has passed, so that no
/// loop outlives its request, however many answers the token has.
void requireTimeLeft(const Workplace& workplace, FailureKind late = FailureKind::kOverdue);

/// The lane goes in if the wait ended with a passage and before the deadline; throws `queue-deadline`
/// otherwise.
void requireTime(const Workplace& workplace, bool passed);

}  // namespace holdfast
