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

/// The thread owns the lane, and the lane owns all that the thread may touch: a thread that hangs in a module
/// cannot be joined, so every wait for it has a deadline. The dispatcher owns `place`.
class Lane : public TimerTarget, public std::enable_shared_from_this<Lane> {
 public:
  /// The dispatcher's record of the lane.
  struct Place {
    RequestPointer current GUARDED_BY(poolState);
    /// The number of the session epoch that it works in.
    uint64_t epoch GUARDED_BY(poolState) = 0;
    LaneState state GUARDED_BY(poolState) = LaneState::kOpening;
    /// When the watchdog quarantines the lane; set while the lane opens its first session.
    std::optional<Deadline> opensUntil GUARDED_BY(poolState);
    Condition wake;
  };

  Lane(std::shared_ptr<Dispatcher> dispatcher, int member, std::shared_ptr<Token> token,
       std::shared_ptr<Epoch> epoch, OpeningPointer opening);

  /// Called when the first session did not open in time.
  void onDeadline() override;

  /// Starts the thread. Throws std::system_error if the system has no more threads.
  void start(Threads& threads);

  int member() const { return member_; }
  /// Whether the first session is open.
  bool isReady() const REQUIRES(poolState) { return place.state != LaneState::kOpening; }
  /// The token of the lane's sessions. Only the lane's own thread may ask.
  const Token* token() const { return token_.get(); }

  /// When it took up its present request. Only the lane's own thread may ask.
  Clock::time_point started() const { return started_; }

  /// Whether the latest answer may wait for the next ones, to share one wake-up of the event loop. It never
  /// waits long, and no more answers are held than requests wait in the queue (`waiting`): callers must have
  /// time to post again before the lane runs out of work.
  [[nodiscard]] bool mayHold(size_t waiting);

  Place place;

 private:
  void run();
  [[nodiscard]] bool openFirstSession();
  /// Opens a session in the current epoch. If the token has dropped all earlier sessions, the epoch's handles
  /// have to prove themselves again: other lanes may not have noticed the loss yet.
  void openSession();
  /// Returns nothing if the request went back to the queue, because the token has no session for this lane.
  [[nodiscard]] std::optional<Outcome> perform(const RequestPointer& request);
  [[nodiscard]] Value operate(Request& request);
  /// Calls `operate`, and calls it once more on a new session if the token had dropped this one.
  [[nodiscard]] Value operateOnLivingSession(Request& request);
  void ensureSession(const std::shared_ptr<Epoch>& epoch);
  /// Adds member and epoch, and notes the failure.
  [[nodiscard]] Failure withContext(Failure failure);
  void proveLogin(Failure& failure);
  /// Marks the session and the cached handles that cannot be trusted after this failure.
  void noteFailure(const Failure& failure);

  const std::shared_ptr<Dispatcher> dispatcher_;
  const int member_;
  // Used by the thread only.
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
