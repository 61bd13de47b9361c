/// \file How members and pools close.
#pragma once

#include <memory>

#include "dispatcher.h"
#include "member_table.h"

namespace holdfast {

/// A member that closes takes no new work. Its lanes end when they have done what was accepted. Then the last
/// reference to the token is released, which may hang in the module.
class PoolClosing : public std::enable_shared_from_this<PoolClosing> {
 public:
  PoolClosing(std::shared_ptr<MemberTable> members, std::shared_ptr<Dispatcher> dispatcher,
              std::shared_ptr<Watchdog> watchdog)
      : members_(std::move(members)), dispatcher_(std::move(dispatcher)), watchdog_(std::move(watchdog)) {}

  /// Refuses new work of the member from now on. Throws `closed` if it or the pool closes already.
  void beginMember(int index);
  /// Waits for the lanes until the deadline, refuses what they could not do, and releases the token. Returns
  /// the number of threads still inside the module.
  [[nodiscard]] int finishMember(int index, Deadline deadline);

  /// Refuses new work of the pool from now on.
  void beginAll();
  [[nodiscard]] bool hasBegun() const;
  /// Starts `finishMember` for all members, each on a thread of its own.
  void startReleasing(Deadline deadline);
  /// Waits until all members are released, then refuses what still waits. Returns the number of threads still
  /// inside modules.
  [[nodiscard]] int awaitReleased(Deadline deadline);
  /// Refuses all that waits.
  void refuseWaiting();
  /// See MemberTable.
  [[nodiscard]] int threadsInside() const;

 private:
  void release(int index, Deadline deadline);

  const std::shared_ptr<MemberTable> members_;
  const std::shared_ptr<Dispatcher> dispatcher_;
  const std::shared_ptr<Watchdog> watchdog_;
};

}  // namespace holdfast
