#include "workplace.h"

namespace holdfast {
namespace {

Turnstile::Passage waitAtTurnstile(Workplace& workplace, Turnstile& turnstile, bool exclusive) {
  workplace.insideSince = kNotInside;
  const Holder holder = workplace.holder();
  return exclusive ? turnstile.exclusive(workplace.deadline, holder)
                   : turnstile.shared(workplace.deadline, holder);
}

}  // namespace

void requireTime(const Workplace& workplace, bool passed) {
  // The deadline is looked at after the lane said that it goes in: before that the watchdog may have given up
  // the request but not the lane. A lane that came too late stays outside, because it makes no further call.
  workplace.insideSince = passed ? Clock::now() : kNotInside;
  if (passed && Clock::now() < workplace.deadline) return;
  workplace.insideSince = kNotInside;
  throw failure(FailureKind::kQueueDeadline,
                "the deadline passed while another lane was at work on the same object");
}

void requireTimeLeft(const Workplace& workplace, FailureKind late) {
  if (Clock::now() >= workplace.deadline) throw failure(late, "the deadline passed between two calls");
}

Turnstile::Passage enterExclusive(Workplace& workplace, Turnstile& turnstile) {
  return waitAtTurnstile(workplace, turnstile, true);
}

Turnstile::Passage enterShared(Workplace& workplace, Turnstile& turnstile) {
  return waitAtTurnstile(workplace, turnstile, false);
}

}  // namespace holdfast
