#include "control_task.h"

#include <system_error>
#include <utility>

namespace holdfast {
namespace {

[[nodiscard]] Failure exhausted(const std::exception& error) {
  auto made = rvFailure(Function::kNone, CKR_HOST_MEMORY);
  made.detail = error.what();
  return made;
}

}  // namespace

ControlTask::ControlTask(std::shared_ptr<Watchdog> watchdog, std::shared_ptr<Completion> completion,
                         Deadline deadline, Work work, Late late)
    : watchdog_(std::move(watchdog)),
      completion_(std::move(completion)),
      deadline_(deadline),
      work_(std::move(work)),
      late_(std::move(late)) {}

Outcome ControlTask::laneDeadline() { return failure(FailureKind::kLaneDeadline, "the deadline passed"); }

void ControlTask::start(const std::shared_ptr<Watchdog>& watchdog,
                        const std::shared_ptr<Completion>& completion, Deadline deadline, Work work,
                        Late late) {
  auto task = std::make_shared<ControlTask>(watchdog, completion, deadline, std::move(work), std::move(late));
  watchdog->watch(deadline, task);
  try {
    watchdog->threads().start("hf-control", [task] { task->run(); });
  } catch (const std::system_error& error) {
    completion->complete(exhausted(error));
    watchdog->unwatch(deadline, task);
  }
}

void ControlTask::run() {
  try {
    work_(*completion_);
  } catch (const Failure& failure) {
    completion_->complete(failure);
  } catch (const std::exception& error) {
    completion_->complete(exhausted(error));
  }
  // Frees what the work holds (tokens, a PIN's block) now, not with the last reference to the task.
  work_ = nullptr;
  watchdog_->unwatch(deadline_, shared_from_this());
}

void ControlTask::onDeadline() {
  if (completion_->claim()) completion_->deliver(late_());
}

}  // namespace holdfast
