#include "lane.h"

#include <exception>

#include "dispatcher.h"
#include "return_values.h"

namespace holdfast {
namespace {

/// A wake-up costs a lane about 5 µs, a SoftHSM operation 16 µs. If an operation takes longer than this, no
/// answer is held back.
constexpr auto kHold = std::chrono::microseconds(100);

/// Whether the failure means only that the token had dropped the session. If key and HSM worked on that
/// session afterwards, the failure concerns the request.
bool sessionWasLost(const Failure& failure) {
  if (failure.callerFault || failure.hsmCleared) return false;
  return failure.kind == FailureKind::kRv && returnValue(failure.rv).sessionLost &&
         !mayHaveEncrypted(failure);
}

}  // namespace

Lane::Lane(std::shared_ptr<Dispatcher> dispatcher, int member, std::shared_ptr<Token> token,
           std::shared_ptr<Epoch> epoch, OpeningPointer opening)
    : dispatcher_(std::move(dispatcher)),
      member_(member),
      token_(std::move(token)),
      epoch_(std::move(epoch)),
      opening_(std::move(opening)) {}

void Lane::onDeadline() { dispatcher_->expireOpening(*this); }

void Lane::start(Threads& threads) {
  threads.start("hf-lane", [self = shared_from_this()] { self->run(); });
}

void Lane::run() {
  if (openFirstSession()) {
    for (auto request = dispatcher_->next(*this); request;) {
      auto outcome = perform(request);
      if (!outcome) break;
      request = dispatcher_->finish(*this, std::move(request), std::move(*outcome));
    }
  }
  // Closed before the end is reported: a thread that waits for the end goes on to finalise the module.
  session_.reset();
  token_.reset();
  epoch_.reset();
  opening_.reset();
  dispatcher_->laneEnded(*this);
}

bool Lane::openFirstSession() {
  try {
    openSession();
    return true;
  } catch (const Failure& failure) {
    return dispatcher_->laneFailed(*this, withContext(failure));
  }
}

void Lane::openSession() {
  session_.emplace(*token_);
  if (token_->keepsSessions()) return;
  epoch_->cache.doubtAll();
  token_->keepLogin(*session_);
}

bool Lane::mayHold(size_t waiting) {
  if (held_ == 0) heldSince_ = started_;
  const bool holds = held_ < waiting && Clock::now() - heldSince_ < kHold;
  held_ = holds ? held_ + 1 : 0;
  return holds;
}

std::optional<Outcome> Lane::perform(const RequestPointer& request) {
  started_ = Clock::now();
  request->insideSince = started_;
  const CallTime watched(request->insideSince);
  try {
    // Checked after the lane was marked as inside, as in requireTime.
    if (Clock::now() >= request->deadline)
      throw failure(FailureKind::kQueueDeadline, "the deadline passed in the queue");
    // Cancelled before this lane was awake.
    if (request->completion->isClaimed()) throw failure(FailureKind::kCancelled, "its caller has an answer");
    ensureSession(dispatcher_->epochFor(*this));
    Success success{member_, epoch_->number, operateOnLivingSession(*request), started_};
    success.taken = Clock::now() - started_;
    return success;
  } catch (const Failure& failure) {
    const bool noSession = !session_ && returnValue(failure.rv).sessionsExhausted;
    if (noSession && dispatcher_->requeue(*this, request)) return std::nullopt;
    return withContext(failure);
  } catch (const std::exception& error) {
    auto exhausted = rvFailure(Function::kNone, CKR_HOST_MEMORY);
    exhausted.detail = error.what();
    return withContext(exhausted);
  }
}

Value Lane::operateOnLivingSession(Request& request) {
  try {
    return operate(request);
  } catch (const Failure& failure) {
    const bool inTime = Clock::now() < request.deadline;
    if (!inTime || !sessionWasLost(failure) || !request.operation->isRepeatable()) throw;
    noteFailure(failure);
  }
  ensureSession(dispatcher_->epochFor(*this));
  return operate(request);
}

Value Lane::operate(Request& request) {
  OperationContext context{*token_,          *session_, epoch_->cache,    epoch_->profile,
                           epoch_->selfTest, nonces_,   request.deadline, request.insideSince};
  return request.operation->run(context);
}

void Lane::ensureSession(const std::shared_ptr<Epoch>& epoch) {
  if (session_ && !poisoned_ && epoch == epoch_) return;
  nonces_.clear();
  session_.reset();
  // Set first: a session that does not open is a failure of the new epoch, and failures of earlier epochs are
  // ignored.
  epoch_ = epoch;
  openSession();
  poisoned_ = false;
}

Failure Lane::withContext(Failure failure) {
  if (failure.kind == FailureKind::kRv && returnValue(failure.rv).loginLost) proveLogin(failure);
  failure.member = member_;
  failure.epoch = epoch_->number;
  noteFailure(failure);
  return failure;
}

/// Asks C_GetSessionInfo whether the login is lost. No other answer proves it: some tokens give the same one
/// for a key that they refuse.
void Lane::proveLogin(Failure& failure) {
  if (!session_) return;
  try {
    token_->proveSession(*session_);
  } catch (const Failure& lost) {
    failure = lost;
  }
}

void Lane::noteFailure(const Failure& failure) {
  if (failure.kind == FailureKind::kSelfTestFailed) {
    poisoned_ = true;
    for (auto& refuses : epoch_->selfTest.refusesForgeries) refuses = false;
    epoch_->cache.doubtAll();
  }
  // The state of the session is unknown after such a failure.
  const bool isSpoilt = failure.kind == FailureKind::kBadOutput || failure.kind == FailureKind::kLookUpFailed;
  if (isSpoilt) poisoned_ = true;
  if (failure.kind != FailureKind::kRv || failure.callerFault || failure.hsmCleared) return;
  const auto& row = returnValue(failure.rv);
  if (row.poisonsSession || row.poisonsMember) poisoned_ = true;
  // A token that dropped a session may number its objects anew: every handle has to prove itself again.
  if (poisoned_ && row.countsAgainstBreaker) epoch_->cache.doubtAll();
}

}  // namespace holdfast
