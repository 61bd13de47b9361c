/// \file What an operation works with while a lane runs it.
#pragma once

#include <atomic>

#include "epoch.h"
#include "nonces.h"
#include "session.h"
#include "token.h"

namespace holdfast {

/// References that hold for one run on one lane's thread.
struct Workplace {
  Token& token;
  Session& session;
  HandleCache& cache;
  const Profile& profile;
  NonceStock& nonces;
  Deadline deadline;
  /// True while the lane waits for another lane and is not inside the module: past its deadline it comes back
  /// by itself, so the watchdog need not give it up.
  std::atomic<bool>& waiting;

  CK_FUNCTION_LIST& functions() const { return session.functions(); }
};

/// Raise the flag and wait for other lanes. `requireTime(workplace, bool(passage))` comes next: it lowers the
/// flag.
Turnstile::Passage enterExclusive(Workplace& workplace, Turnstile& turnstile);
Turnstile::Passage enterShared(Workplace& workplace, Turnstile& turnstile);

/// Lowers the flag if the wait ended with a passage and before the deadline; throws `queue-deadline`
/// otherwise.
void requireTime(const Workplace& workplace, bool passed);

}  // namespace holdfast
