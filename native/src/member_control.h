/// \file Members that are added, opened, admitted and suspended.
#pragma once

#include <memory>
#include <vector>

#include "dispatcher.h"
#include "member_table.h"

namespace holdfast {

/// The changes that control operations make to members. Functions that take an index throw `closed` if that
/// member or the pool is closing, unless they say otherwise.
class MemberControl {
 public:
  MemberControl(std::shared_ptr<MemberTable> members, std::shared_ptr<Dispatcher> dispatcher)
      : members_(std::move(members)), dispatcher_(std::move(dispatcher)) {}

  /// Adds a member that is not open yet, and returns its index. Throws `closed`, or `no-member` if there are
  /// too many.
  [[nodiscard]] int add(MemberOptions options);
  /// Counts a control operation that opens the member, until the result is destroyed.
  [[nodiscard]] std::shared_ptr<const MemberOptions> beginOpening(int index);
  /// Counts another thread that calls the module for this opening, until the result is destroyed. Works on a
  /// closed member too.
  [[nodiscard]] std::shared_ptr<const void> countScout(int index, OpeningPointer opening);
  /// Until the result is destroyed, the operation that opens the member waits outside the module. Works on a
  /// closed member too.
  [[nodiscard]] std::shared_ptr<const void> countWaitingOpener(int index);
  /// Suspends the member, takes its token away, refuses what names it, and ends its lanes. Those that do not
  /// come back by the deadline are abandoned with what they hold. Returns whether all came back.
  bool detach(int index, Deadline deadline);
  /// A new opening. Throws `stuck` if too many earlier ones are still alive.
  [[nodiscard]] OpeningPointer newOpening(int index);
  /// Gives a token to a member that has none.
  void attach(int index, std::shared_ptr<Token> token, OpeningPointer opening);
  /// The token of a member that is open, for a control operation; closing waits until it is given back.
  /// Throws `no-member` while the member is not open, or if too many control operations hang in it.
  [[nodiscard]] std::shared_ptr<Token> acquireToken(int index);
  /// Takes the locks on the token's objects from a control operation that hangs. Works on a closed member
  /// too.
  void expel(int index, Holder holder);
  /// The member's epoch; null before the first login. Works on a closed member too.
  [[nodiscard]] std::shared_ptr<Epoch> epochOf(int index) const;
  /// Sets the profile of the next epoch, and how many lanes there may be from now on.
  void setProfile(int index, Profile profile, int laneCount);
  [[nodiscard]] Profile profileOf(int index) const;
  void suspend(int index);
  void resume(int index);
  /// The statistics of all members that are not closing.
  [[nodiscard]] std::vector<MemberStatistics> statistics() const;

 private:
  [[nodiscard]] MemberStatistics describe(const Member& member) const REQUIRES(poolState);

  const std::shared_ptr<MemberTable> members_;
  const std::shared_ptr<Dispatcher> dispatcher_;
};

}  // namespace holdfast
