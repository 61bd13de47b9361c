/// \file The lanes of all members of one cluster: `NativePool` of src/hsm/native.ts without JavaScript.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "completion.h"
#include "dispatcher.h"
#include "member_control.h"
#include "module.h"
#include "pool_closing.h"
#include "watchdog.h"

namespace holdfast {

/// Each operation completes its answer exactly once, by the deadline.
class Pool {
 public:
  Pool(size_t queueLimit, std::shared_ptr<Watchdog> watchdog);

  using Answer = std::shared_ptr<Completion>;

  /// See MemberControl.
  [[nodiscard]] int addMember(MemberOptions options) { return members_->add(std::move(options)); }

  // Control operations, each on a thread of its own.
  /// Adds a member and opens it. If that fails the member is closed.
  void openMember(const Answer& answer, MemberOptions options, Deadline deadline);
  void reopenMember(const Answer& answer, int member, Deadline deadline);
  void loginMember(const Answer& answer, int member, Secret pin, Deadline deadline,
                   std::shared_ptr<FileLock> lock = nullptr);
  void inventory(const Answer& answer, int member, Deadline deadline);
  void tokenInfo(const Answer& answer, int member, Deadline deadline);
  void closeMember(const Answer& answer, int member, Deadline deadline);
  void detachMember(const Answer& answer, int member, Deadline deadline);
  void close(const Answer& answer, Deadline deadline);

  /// Posts an operation for a lane of one of these members.
  void post(const Answer& answer, Members members, OperationPointer operation, Deadline deadline);

  /// See Dispatcher.
  void cancel(uint64_t ticket) { dispatcher_->cancel(ticket); }
  /// See Dispatcher.
  void setOperationTimeout(Clock::duration timeout, Dispatcher::OnHung onHung) {
    dispatcher_->setOperationTimeout(timeout, std::move(onHung));
  }
  /// See MemberControl.
  void setProfile(int member, Profile profile, int laneCount) {
    members_->setProfile(member, profile, laneCount);
  }
  void suspend(int member) { members_->suspend(member); }
  void resume(int member) { members_->resume(member); }
  [[nodiscard]] std::vector<MemberStatistics> statistics() const { return members_->statistics(); }

  bool isClosed() const { return closing_->hasBegun(); }

  /// Closes a pool that is still open when its environment ends, on threads that the environment then waits
  /// for (`Threads::join`). Calls no module itself.
  void beginAbandoning(Deadline deadline);

 private:
  const std::shared_ptr<Watchdog> watchdog_;
  const std::shared_ptr<MemberTable> table_;
  const std::shared_ptr<Dispatcher> dispatcher_;
  const std::shared_ptr<MemberControl> members_;
  const std::shared_ptr<PoolClosing> closing_;
};

}  // namespace holdfast
