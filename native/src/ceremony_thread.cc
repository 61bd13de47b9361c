#include "ceremony_thread.h"

#include <deque>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "control_task.h"
#include "failure.h"

namespace holdfast {
namespace {

/// How long a module may take to load, and its slots to answer.
constexpr auto kOpeningBound = std::chrono::minutes(1);
/// How long closing waits for a running call.
constexpr auto kClosingBound = std::chrono::seconds(3);

Failure closed() { return failure(FailureKind::kClosed, "the ceremony is closed"); }

/// A call out of turn, which is a defect of the caller.
Failure outOfTurn(const std::logic_error& error) {
  auto made = rvFailure(Function::kNone, CKR_OPERATION_NOT_INITIALIZED);
  made.detail = error.what();
  return made;
}

Failure exhausted(const std::exception& error) {
  auto made = rvFailure(Function::kNone, CKR_HOST_MEMORY);
  made.detail = error.what();
  return made;
}

Ceremony& opened(const std::unique_ptr<Ceremony>& ceremony) {
  if (!ceremony) throw closed();
  return *ceremony;
}

std::vector<CeremonyMember> openAll(const std::vector<CeremonyMemberOptions>& options, Threads& threads) {
  std::vector<CeremonyMember> members;
  for (const auto& one : options) {
    try {
      members.push_back(openCeremonyMember(one, threads, Clock::now() + kOpeningBound));
    } catch (const Failure& failure) {
      throw withMember(failure, static_cast<int>(members.size()));
    }
  }
  return members;
}

}  // namespace

struct CeremonyThread::State {
  struct Call {
    Answer answer;
    Work work;
  };

  Mutex mutex;
  Condition changed;
  std::deque<Call> waiting GUARDED_BY(mutex);
  /// The answer of the call that runs.
  Answer running GUARDED_BY(mutex);
  bool ending GUARDED_BY(mutex) = false;
  /// Whether the thread has left all modules, or has never run.
  bool ended GUARDED_BY(mutex) = true;

  /// The next call; none at the end.
  std::optional<Call> take() {
    MutexLock lock(mutex);
    changed.wait(lock, [this]() REQUIRES(mutex) { return ending || !waiting.empty(); });
    if (ending) return std::nullopt;
    auto next = std::move(waiting.front());
    waiting.pop_front();
    running = next.answer;
    return next;
  }
  void noteEnded() {
    const MutexLock lock(mutex);
    ended = true;
    changed.notifyAll();
  }
  bool awaitEnded(Deadline deadline) {
    MutexLock lock(mutex);
    return changed.waitUntil(lock, deadline, [this]() REQUIRES(mutex) { return ended; });
  }
  void giveUpRunning() {
    Answer hanging;
    {
      const MutexLock lock(mutex);
      hanging = running;
    }
    if (hanging) hanging->complete(closed());
  }
};

CeremonyThread::CeremonyThread(std::shared_ptr<Watchdog> watchdog)
    : watchdog_(std::move(watchdog)), state_(std::make_shared<State>()) {}

CeremonyThread::~CeremonyThread() { end(); }

void CeremonyThread::open(const Answer& answer, Generation generation,
                          std::vector<CeremonyMemberOptions> members, bool enforced) {
  post(answer, [self = shared_from_this(), generation = std::move(generation), members = std::move(members),
                enforced](std::unique_ptr<Ceremony>& ceremony) {
    try {
      auto opened = openAll(members, self->watchdog_->threads());
      ceremony = std::make_unique<Ceremony>(generation, std::move(opened), enforced);
    } catch (...) {
      self->end();
      throw;
    }
    return Value(self);
  });
  {
    const MutexLock lock(state_->mutex);
    state_->ended = false;
  }
  try {
    watchdog_->threads().start("hf-ceremony", [state = state_] { run(*state); });
  } catch (const std::system_error& error) {
    answer->complete(exhausted(error));
    end();
    state_->noteEnded();
  }
}

void CeremonyThread::logIn(const Answer& answer, size_t member, Secret given) {
  // Shared, because std::function copies what it captures: there is one block with the PIN.
  post(answer, [member, pin = std::make_shared<Secret>(std::move(given))](auto& ceremony) {
    opened(ceremony).logIn(member, *pin);
    return Value();
  });
}

void CeremonyThread::prepare(const Answer& answer, bool anew) {
  post(answer, [anew](auto& ceremony) { return Value(opened(ceremony).prepare(anew)); });
}

void CeremonyThread::complete(const Answer& answer) {
  post(answer, [](auto& ceremony) { return Value(opened(ceremony).complete()); });
}

void CeremonyThread::close(const Answer& answer) {
  end();
  const Deadline deadline = Clock::now() + kClosingBound;
  const auto work = [state = state_, deadline](Completion& completion) {
    if (!state->awaitEnded(deadline)) state->giveUpRunning();
    completion.complete(Success());
  };
  const auto late = [state = state_] {
    state->giveUpRunning();
    return Success();
  };
  ControlTask::start(watchdog_, answer, deadline, work, late);
}

void CeremonyThread::end() {
  std::deque<State::Call> refused;
  {
    const MutexLock lock(state_->mutex);
    state_->ending = true;
    refused.swap(state_->waiting);
    state_->changed.notifyAll();
  }
  for (const auto& call : refused) call.answer->complete(closed());
}

bool CeremonyThread::hasEnded() const {
  const MutexLock lock(state_->mutex);
  return state_->ending && state_->ended;
}

void CeremonyThread::post(const Answer& answer, Work work) {
  MutexLock lock(state_->mutex);
  if (!state_->ending) {
    state_->waiting.push_back({answer, std::move(work)});
    state_->changed.notifyAll();
    return;
  }
  lock.unlock();
  answer->complete(closed());
}

void CeremonyThread::run(State& state) {
  const auto outcomeOf = [](const Work& work, std::unique_ptr<Ceremony>& ceremony) -> Outcome {
    try {
      return Success{-1, 0, work(ceremony)};
    } catch (const Failure& failure) {
      return failure;
    } catch (const std::logic_error& error) {
      return outOfTurn(error);
    } catch (const std::exception& error) {
      return exhausted(error);
    }
  };
  std::unique_ptr<Ceremony> ceremony;
  while (auto call = state.take()) {
    auto outcome = outcomeOf(call->work, ceremony);
    // A PIN is zeroed before its answer is out.
    call->work = nullptr;
    call->answer->complete(std::move(outcome));
  }
  // Leaves the modules; this may hang too.
  ceremony.reset();
  state.noteEnded();
}

}  // namespace holdfast
