#include "operation_context.h"

namespace holdfast {
namespace {

TimedSharedMutex::Lock waitForLock(OperationContext& context, TimedSharedMutex& mutex, bool exclusive) {
  context.insideSince = kNotInside;
  const Holder holder = context.holder();
  return exclusive ? mutex.lockExclusive(context.deadline, holder)
                   : mutex.lockShared(context.deadline, holder);
}

}  // namespace

void requireTime(const OperationContext& context, bool locked) {
  // Compare the deadline only after the lane is marked inside: before that the watchdog may have given up the
  // request but not the lane. A lane that is late stays outside, because it makes no further call.
  context.insideSince = locked ? Clock::now() : kNotInside;
  if (locked && Clock::now() < context.deadline) return;
  context.insideSince = kNotInside;
  throw failure(FailureKind::kQueueDeadline,
                "the deadline passed while another lane was at work on the same object");
}

void requireTimeLeft(const OperationContext& context, FailureKind late) {
  if (Clock::now() >= context.deadline) throw failure(late, "the deadline passed between two calls");
}

TimedSharedMutex::Lock lockExclusive(OperationContext& context, TimedSharedMutex& mutex) {
  return waitForLock(context, mutex, true);
}

TimedSharedMutex::Lock lockShared(OperationContext& context, TimedSharedMutex& mutex) {
  return waitForLock(context, mutex, false);
}

}  // namespace holdfast
