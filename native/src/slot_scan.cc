#include "slot_scan.h"

#include <algorithm>
#include <deque>
#include <set>
#include <system_error>
#include <utility>
#include <variant>

#include "mutex.h"
#include "return_values.h"
#include "token_info.h"

namespace holdfast {
namespace {

/// How much of the time a slot may take before the other slots are asked in parallel. Also the maximum number
/// of threads of one scan, reached when every slot hangs.
constexpr int kShares = 4;

[[nodiscard]] Failure inSlot(Failure failure, CK_SLOT_ID slot) {
  failure.detail = "the token in slot " + std::to_string(slot) + " does not answer";
  return failure;
}

[[nodiscard]] Failure overdue(CK_SLOT_ID slot) {
  return inSlot(failure(FailureKind::kLaneDeadline, ""), slot);
}

/// A slot's answer; nothing if the card was pulled just now.
using Answer = std::variant<std::monostate, TokenInfo, Failure>;

Answer ask(CK_FUNCTION_LIST& functions, CK_SLOT_ID slot) {
  try {
    return readTokenInfo(functions, slot);
  } catch (const Failure& failure) {
    if (returnValue(failure.rv).tokenAbsent) return std::monostate{};
    return failure;
  }
}

}  // namespace

struct SlotScan::Progress {
  Mutex mutex;
  Condition changed;
  std::deque<CK_SLOT_ID> waiting GUARDED_BY(mutex);
  std::set<CK_SLOT_ID> asked GUARDED_BY(mutex);
  /// The slots asked that have used up their share of the time.
  std::set<CK_SLOT_ID> overdue GUARDED_BY(mutex);
  SlotListing listing GUARDED_BY(mutex);
  std::optional<Failure> notInitialized GUARDED_BY(mutex);
  /// How many threads hold the module.
  int scouts GUARDED_BY(mutex) = 0;
  int answers GUARDED_BY(mutex) = 0;
  /// Whether no reader waits any more.
  bool over GUARDED_BY(mutex) = false;

  bool isDone() const REQUIRES(mutex) { return scouts == 0; }
  /// Threads that are done with their slots release the module first. A reader that went on before that would
  /// find the module still in use.
  bool onlyOverdueOnesAreLeft() const REQUIRES(mutex) {
    return waiting.empty() && asked == overdue && static_cast<size_t>(scouts) == asked.size();
  }
  void note(CK_SLOT_ID slot, Answer answer) REQUIRES(mutex) {
    asked.erase(slot);
    overdue.erase(slot);
    ++answers;
    if (auto* const info = std::get_if<TokenInfo>(&answer)) listing.tokens.push_back(std::move(*info));
    if (auto* const failed = std::get_if<Failure>(&answer)) {
      if (returnValue(failed->rv).notInitialized) notInitialized = *failed;
      listing.failure = inSlot(std::move(*failed), slot);
    }
  }
};

void SlotScan::scout(Progress& progress, Module& module) {
  MutexLock lock(progress.mutex);
  while (!progress.over && !progress.waiting.empty()) {
    const CK_SLOT_ID slot = progress.waiting.front();
    progress.waiting.pop_front();
    progress.asked.insert(slot);
    lock.unlock();
    auto answer = ask(module.functions(), slot);
    lock.lock();
    progress.note(slot, std::move(answer));
    // Done under the lock. Otherwise a reader that has not seen the answer yet would mark the slot as hung.
    module.setSlotHangs(slot, false);
    progress.changed.notifyAll();
  }
}

void SlotScan::startScout(const std::shared_ptr<Progress>& progress, const std::shared_ptr<Module>& module)
    REQUIRES(progress->mutex) {
  ++progress->scouts;
  const auto work = [progress, held = module, inside = holds_.forScout()]() mutable {
    scout(*progress, *held);
    // Releases the references first: the thread that waits for the last one goes on to finalise the module.
    held.reset();
    inside.reset();
    const MutexLock lock(progress->mutex);
    --progress->scouts;
    progress->changed.notifyAll();
  };
  try {
    threads_.start("hf-control", work);
  } catch (const std::system_error&) {
    --progress->scouts;
    throw;
  }
}

SlotListing SlotScan::read(const std::shared_ptr<Module>& module, const IsEnough& isEnough,
                           Deadline deadline) {
  const auto progress = std::make_shared<Progress>();
  const auto slots = slotsWithToken(module->functions());
  const auto share = (deadline - Clock::now()) / kShares;
  MutexLock lock(progress->mutex);
  for (const CK_SLOT_ID slot : slots) {
    if (module->slotHangs(slot))
      progress->listing.failure = overdue(slot);
    else
      progress->waiting.push_back(slot);
  }
  startScout(progress, module);
  const auto waiting = holds_.forWaiting();
  const auto isOver = [&]() REQUIRES(progress->mutex) {
    return progress->isDone() || (progress->onlyOverdueOnesAreLeft() && isEnough(progress->listing.tokens));
  };
  while (!isOver() && Clock::now() < deadline) {
    const int answersBefore = progress->answers;
    const int scoutsBefore = progress->scouts;
    const auto moved = [&]() REQUIRES(progress->mutex) {
      return progress->answers != answersBefore || progress->scouts != scoutsBefore;
    };
    if (progress->changed.waitUntil(lock, std::min(deadline, Clock::now() + share), moved)) continue;
    progress->overdue = progress->asked;
    for (const CK_SLOT_ID slot : progress->asked) module->setSlotHangs(slot, true);
    if (!progress->waiting.empty()) startScout(progress, module);
  }
  progress->over = true;
  if (progress->notInitialized) throw Failure(*progress->notInitialized);
  for (const CK_SLOT_ID slot : progress->asked) {
    module->setSlotHangs(slot, true);
    progress->listing.failure = overdue(slot);
  }
  return std::move(progress->listing);
}

}  // namespace holdfast
