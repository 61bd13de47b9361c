/// \file One thread that owns one session.
#pragma once

#include <memory>
#include <optional>

#include "epoch.h"
#include "lane_state.h"
#include "nonces.h"
#include "pool_state.h"
#include "request.h"
#include "session.h"
#include "token.h"

namespace holdfast {

class Dispatcher;

/// Its thread owns it: nobody waits for it without a deadline, because a thread that hangs in a module cannot
/// be joined, and holds what it may touch. `place` is the dispatcher's: guarded by its mutex.
class Lane : public TimerTarget, public std::enable_shared_from_this<Lane> {
 public:
  /// Where the lane stands in the dispatcher.
  struct Place {
    RequestPointer current GUARDED_BY(poolState);
    /// The number of the session epoch that it works in.
    uint64_t epoch GUARDED_BY(poolState) = 0;
    LaneState state GUARDED_BY(poolState) = LaneState::kOpening;
    /// When the watchdog gives it up, while it opens its first session.
    std::optional<Deadline> opensUntil GUARDED_BY(poolState);
    Condition wake;
  };

  Lane(std::shared_ptr<Dispatcher> dispatcher, int member, std::shared_ptr<Token> token,
       std::shared_ptr<Epoch> epoch, OpeningPointer opening);

  /// Its first session did not open in time.
  void onDeadline() override;

  /// Starts the thread; throws std::system_error where the system has no more.
  void start(Threads& threads);

  int member() const { return member_; }
  /// Its first session is open.
  bool isReady() const REQUIRES(poolState) { return place.state != LaneState::kOpening; }
  /// What it has sessions on. On its thread.
  const Token* token() const { return token_.get(); }

  /// Whether the answer just found may wait for those of the next requests, so that they wake the event loop
  /// together. Not for long, and not for more than half of what is under way: the caller of the others must
  /// find time to post again before the lane runs out of work. `waiting`: requests in the queue.
  [[nodiscard]] bool mayHold(size_t waiting);

  Place place;

 private:
  void run();
  [[nodiscard]] bool openFirstSession();
  /// Of the epoch. Where the token has dropped the others that it had, its handles have to prove themselves
  /// again: the lanes of those may not have noticed yet.
  void openSession();
  /// Nothing where another lane has the request now, because the token has no session for this one.
  [[nodiscard]] std::optional<Outcome> perform(const RequestPointer& request);
  [[nodiscard]] Value operate(Request& request);
  /// As `operate`, and once more on a new session where the token had dropped this one.
  [[nodiscard]] Value operateOnLivingSession(Request& request);
  void ensureSession(const std::shared_ptr<Epoch>& epoch);
  /// Adds member and epoch, and notes the failure.
  [[nodiscard]] Failure withContext(Failure failure);
  void proveLogin(Failure& failure);
  /// Draws the consequences for the session and for the cached handles.
  void noteFailure(const Failure& failure);

  const std::shared_ptr<Dispatcher> dispatcher_;
  const int member_;
  // Only the thread touches what follows.
  std::shared_ptr<Token> token_;
  std::shared_ptr<Epoch> epoch_;
  OpeningPointer opening_;
  std::optional<Session> session_;
  NonceStock nonces_;
  bool poisoned_ = false;
  Clock::time_point started_;
  /// Answers held back since the event loop was woken last, and when the first of them began.
  size_t held_ = 0;
  Clock::time_point heldSince_;
};

}  // namespace holdfast
