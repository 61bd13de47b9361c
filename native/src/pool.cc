#include "pool.h"

#include "control_task.h"
#include "operations/operations.h"
#include "return_values.h"
#include "slot_scan.h"

namespace holdfast {
namespace {

/// Numbers the session epochs of the whole process: no two are the same.
uint64_t nextEpochNumber() {
  static std::atomic<uint64_t> last = 0;
  return ++last;
}

/// The part of its time that a reopening waits for lanes to come back from their calls: a quarter.
constexpr int kDrainShare = 4;

[[nodiscard]] Outcome attach(MemberControl& members, int member, std::shared_ptr<Token> token, TokenInfo info,
                             OpeningPointer opening) {
  try {
    members.attach(member, std::move(token), std::move(opening));
    return Success{member, 0, MemberOpened{member, std::move(info)}};
  } catch (const Failure& closed) {
    return closed;
  }
}

void reopen(MemberControl& members, Threads& threads, Completion& answer, int member, Deadline deadline) {
  const auto options = members.beginOpening(member);
  members.detach(member, Clock::now() + (deadline - Clock::now()) / kDrainShare);
  auto opening = members.newOpening(member);
  // No reference of this thread to the module outlives the answer: the last one finalises, and closing waits
  // for that.
  const SlotScan scan(threads, {[&members, member, opening] { return members.countScout(member, opening); },
                                [&members, member] { return members.countWaitingOpener(member); }});
  auto token = Token::find(Module::open(options->module, opening, deadline), options->token, scan, deadline);
  auto info = token->infoAs(options->token);
  // Too late: the caller has its answer. What was opened closes with this scope.
  if (!answer.claim()) return;
  answer.deliver(attach(members, member, std::move(token), std::move(info), std::move(opening)));
}

void closeUnlessClosed(PoolClosing& closing, int member) {
  try {
    closing.beginMember(member);
  } catch (const Failure&) {
    // Closed with the pool meanwhile.
  }
}

/// Does the work, and adds the member's index to any failure that it throws.
template <typename Work>
ControlTask::Work forMember(int member, Work work) {
  return [member, work = std::move(work)](Completion& answer) {
    try {
      work(answer);
    } catch (const Failure& failure) {
      throw withMember(failure, member);
    }
  };
}

ControlTask::Late lateFor(int member) {
  return [member] { return withMember(failure(FailureKind::kLaneDeadline, "the deadline passed"), member); };
}

/// Opens a session. If the token has no more of them, a lane ends to make room.
std::unique_ptr<Session> openSession(Dispatcher& dispatcher, int member, Token& token, Deadline deadline) {
  for (;;) {
    try {
      return std::make_unique<Session>(token);
    } catch (const Failure& failure) {
      if (!returnValue(failure.rv).sessionsExhausted || !dispatcher.makeRoom(member, deadline)) throw;
    }
  }
}

/// When a control operation entered the module. Its address names the holder of its locks.
using InsideSince = std::atomic<Clock::time_point>;

std::vector<ObjectSummary> readInventory(MemberControl& members, Dispatcher& dispatcher, int member,
                                         Deadline deadline, InsideSince& insideSince) {
  const auto token = members.acquireToken(member);
  const auto epoch = members.epochOf(member);
  if (!epoch) throw rvFailure(Function::kNone, CKR_USER_NOT_LOGGED_IN);
  // A session of its own: a lane that reads a big token would hold up other work.
  const auto session = openSession(dispatcher, member, *token, deadline);
  NonceStock nonces;
  OperationContext context{*token,          *session, epoch->cache, epoch->profile,
                           epoch->selfTest, nonces,   deadline,     insideSince};
  return takeInventory(context);
}

}  // namespace

Pool::Pool(size_t queueLimit, std::shared_ptr<Watchdog> watchdog)
    : watchdog_(std::move(watchdog)),
      table_(std::make_shared<MemberTable>()),
      dispatcher_(std::make_shared<Dispatcher>(queueLimit, table_, watchdog_)),
      members_(std::make_shared<MemberControl>(table_, dispatcher_)),
      closing_(std::make_shared<PoolClosing>(table_, dispatcher_, watchdog_)) {}

void Pool::openMember(const Answer& answer, MemberOptions options, Deadline deadline) {
  int member = -1;
  try {
    member = addMember(std::move(options));
  } catch (const Failure& closed) {
    answer->complete(closed);
    return;
  }
  const auto work = [members = members_, closing = closing_, watchdog = watchdog_, member,
                     deadline](Completion& completion) {
    try {
      reopen(*members, watchdog->threads(), completion, member, deadline);
    } catch (const Failure&) {
      closeUnlessClosed(*closing, member);
      throw;
    }
  };
  const auto late = [closing = closing_, member] {
    closeUnlessClosed(*closing, member);
    return ControlTask::laneDeadline();
  };
  ControlTask::start(watchdog_, answer, deadline, work, late);
}

void Pool::reopenMember(const Answer& answer, int member, Deadline deadline) {
  const auto work = [members = members_, watchdog = watchdog_, member, deadline](Completion& completion) {
    reopen(*members, watchdog->threads(), completion, member, deadline);
  };
  ControlTask::start(watchdog_, answer, deadline, forMember(member, work), lateFor(member));
}

void Pool::loginMember(const Answer& answer, int member, Secret pin, Deadline deadline,
                       std::shared_ptr<FileLock> lock) {
  // Shared, because std::function copies what it captures: there is one block with the PIN.
  const auto shared = std::make_shared<Secret>(std::move(pin));
  const auto attempt = std::make_shared<LoginAttempt>(std::move(lock));
  const auto work = [members = members_, dispatcher = dispatcher_, member, shared, deadline,
                     attempt](Completion& completion) {
    const auto token = members->acquireToken(member);
    token->login(*shared, deadline, attempt);
    shared->clear();
    // The deadline passed while C_Login hung: the caller knows this login as failed, so no lane opens.
    if (completion.isClaimed()) return;
    const auto epoch = std::make_shared<Epoch>(nextEpochNumber(), members->profileOf(member));
    dispatcher->startLanes(member, epoch, deadline);
    completion.complete(Success{member, epoch->number, epoch->number});
  };
  const auto late = [attempt, member] {
    attempt->giveUp();
    return lateFor(member)();
  };
  ControlTask::start(watchdog_, answer, deadline, forMember(member, work), late);
}

void Pool::inventory(const Answer& answer, int member, Deadline deadline) {
  const auto inside = std::make_shared<InsideSince>(kNotInside);
  const auto work = [members = members_, dispatcher = dispatcher_, member, deadline,
                     inside](Completion& completion) {
    completion.complete(Success{member, 0, readInventory(*members, *dispatcher, member, deadline, *inside)});
  };
  const auto late = [members = members_, member, inside] {
    members->expel(member, inside.get());
    return lateFor(member)();
  };
  ControlTask::start(watchdog_, answer, deadline, forMember(member, work), late);
}

void Pool::tokenInfo(const Answer& answer, int member, Deadline deadline) {
  const auto work = [members = members_, member](Completion& completion) {
    completion.complete(Success{member, 0, members->acquireToken(member)->info()});
  };
  ControlTask::start(watchdog_, answer, deadline, forMember(member, work), lateFor(member));
}

void Pool::closeMember(const Answer& answer, int member, Deadline deadline) {
  const auto work = [closing = closing_, member, deadline](Completion& completion) {
    closing->beginMember(member);
    const int hung = closing->finishMember(member, deadline);
    if (hung > 0) throw failure(FailureKind::kLaneDeadline, "a lane is still inside the module");
    completion.complete(Success{member, 0, std::monostate{}});
  };
  ControlTask::start(watchdog_, answer, deadline, forMember(member, work), lateFor(member));
}

void Pool::detachMember(const Answer& answer, int member, Deadline deadline) {
  const auto work = [members = members_, member, deadline](Completion& completion) {
    if (!members->detach(member, deadline))
      throw failure(FailureKind::kLaneDeadline, "a lane is still inside the module");
    completion.complete(Success{member, 0, std::monostate{}});
  };
  const auto late = [] { return ControlTask::laneDeadline(); };
  ControlTask::start(watchdog_, answer, deadline, forMember(member, work), late);
}

void Pool::close(const Answer& answer, Deadline deadline) {
  // Not on the control thread: what is posted after this call is refused, however late that thread starts.
  closing_->beginAll();
  const auto work = [closing = closing_, deadline](Completion& completion) {
    closing->startReleasing(deadline);
    const auto hung = static_cast<uint64_t>(closing->awaitReleased(deadline));
    completion.complete(Success{-1, 0, hung});
  };
  const auto late = [closing = closing_] {
    return Success{-1, 0, static_cast<uint64_t>(closing->threadsInside())};
  };
  ControlTask::start(watchdog_, answer, deadline, work, late);
}

void Pool::post(const Answer& answer, Members members, OperationPointer operation, Deadline deadline) {
  dispatcher_->post(std::make_shared<Request>(dispatcher_, answer, std::move(operation), members, deadline));
}

void Pool::beginAbandoning(Deadline deadline) {
  closing_->beginAll();
  // No one is left to receive the answers of what waits: only the calls that run are waited for.
  closing_->refuseWaiting();
  closing_->startReleasing(deadline);
}

}  // namespace holdfast
