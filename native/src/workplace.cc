#include "workplace.h"

#include "failure.h"

namespace holdfast {
namespace {

/// Sets the flag for the length of a wait.
class Waiting {
 public:
  explicit Waiting(std::atomic<bool>& flag) : flag_(flag) { flag_ = true; }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() { flag_ = false; }

 private:
  std::atomic<bool>& flag_;
};

Turnstile::Passage pass(Turnstile& turnstile, Deadline deadline, bool exclusive) {
  return exclusive ? turnstile.exclusive(deadline) : turnstile.shared(deadline);
}

Turnstile::Passage waitAtTurnstile(Workplace& workplace, Turnstile& turnstile, bool exclusive) {
  const Waiting waiting(workplace.waiting);
  return pass(turnstile, workplace.deadline, exclusive);
}

}  // namespace

void requireTime(const Workplace& workplace, bool passed) {
  // Asked after the flag is down: the watchdog may have given the request up, but not the lane, while it was
  // set.
  if (passed && Clock::now() < workplace.deadline) return;
  throw failure(FailureKind::kQueueDeadline,
                "the deadline passed while another lane was at work on the same object");
}

Turnstile::Passage enterExclusive(Workplace& workplace, Turnstile& turnstile) {
  return waitAtTurnstile(workplace, turnstile, true);
}

Turnstile::Passage enterShared(Workplace& workplace, Turnstile& turnstile) {
  return waitAtTurnstile(workplace, turnstile, false);
}

}  // namespace holdfast
