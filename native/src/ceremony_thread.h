/// \file A ceremony on a thread of its own, so that JavaScript waits for no token.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "ceremony.h"
#include "ceremony_opening.h"
#include "completion.h"
#include "watchdog.h"

namespace holdfast {

/// `NativeCeremony` of src/hsm/native-ceremony.ts without JavaScript. Its calls run on the thread, in order.
/// They have no deadline, because a person may have to act at an HSM. The thread owns the tokens: when it
/// ends, the officers' sessions close and the modules are finalised.
class CeremonyThread : public std::enable_shared_from_this<CeremonyThread> {
 public:
  using Answer = std::shared_ptr<Completion>;

  explicit CeremonyThread(std::shared_ptr<Watchdog> watchdog);
  CeremonyThread(const CeremonyThread&) = delete;
  CeremonyThread& operator=(const CeremonyThread&) = delete;
  /// Calls `end`.
  ~CeremonyThread();

  /// Starts the thread, which opens all members within a minute each; answers with this object. The first of
  /// all calls. If it fails, the thread ends.
  void open(const Answer& answer, Generation generation, std::vector<CeremonyMemberOptions> members,
            bool enforced);
  /// See Ceremony; the PIN is zeroed before the answer.
  void logIn(const Answer& answer, size_t member, Secret given);
  void prepare(const Answer& answer, bool anew);
  void complete(const Answer& answer);
  /// Calls `end`, and answers when the thread has ended. If a call hangs for three seconds more, it answers
  /// too, and the call is answered with kind `closed`; the thread ends when the token lets it go.
  void close(const Answer& answer);

  /// Answers all waiting calls, and those that follow, with kind `closed`. Does not wait for a running call.
  void end();
  [[nodiscard]] bool hasEnded() const;

 private:
  using Work = std::function<Value(std::unique_ptr<Ceremony>& ceremony)>;
  struct State;

  void post(const Answer& answer, Work work);
  static void run(State& state);

  const std::shared_ptr<Watchdog> watchdog_;
  const std::shared_ptr<State> state_;
};

}  // namespace holdfast
