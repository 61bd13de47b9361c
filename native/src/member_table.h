/// \file The members of a pool, and whose turn it is.
#pragma once

#include <memory>
#include <vector>

#include "member.h"
#include "members.h"
#include "mutex.h"

namespace holdfast {

/// The mutex guards everything that a pool's dispatcher, member control and closing share: `poolState`. No
/// PKCS#11 function is called while it is held.
class MemberTable : public std::enable_shared_from_this<MemberTable> {
 public:
  Mutex mutex;
  /// Notified when a lane opens, comes to rest or ends, and when a thread leaves a module.
  Condition changed;

  /// Adds a member that is not open yet. Throws `closed`, or `no-member` if there are kMaxMembers.
  [[nodiscard]] Member& add(MemberOptions options) REQUIRES(poolState);
  /// The member with this index. Throws `closed` if it or the pool is closing, or if there is no such member.
  Member& at(int index) const REQUIRES(poolState);
  /// The member with this index, even if it is closing.
  Member& known(int index) const REQUIRES(poolState) { return *members_[static_cast<size_t>(index)]; }
  Member& of(const Lane& lane) const REQUIRES(poolState) { return known(lane.member()); }
  const std::vector<std::unique_ptr<Member>>& all() const REQUIRES(poolState) { return members_; }

  /// Whether any of these takes work that is posted to them.
  [[nodiscard]] bool anyTakes(Members members) const REQUIRES(poolState);
  /// The members that take shared work.
  [[nodiscard]] Members serving() const REQUIRES(poolState);
  /// An idle lane of the next of these members. Null if none is idle.
  [[nodiscard]] Lane* nextIdleLane(Members members) REQUIRES(poolState);
  /// The one of these members with the fewest lanes. Null if none takes work.
  [[nodiscard]] Member* smallest(Members members) const REQUIRES(poolState);
  /// The lane that runs a request that matches. Null if none does.
  template <typename Predicate>
  [[nodiscard]] Lane* runnerOf(Predicate matches) const REQUIRES(poolState) {
    for (const auto& member : members_) {
      if (Lane* const lane = member->lanes.runnerOf(matches)) return lane;
    }
    return nullptr;
  }

  void close() REQUIRES(poolState) { closed_ = true; }
  bool isClosed() const REQUIRES(poolState) { return closed_; }
  /// Counts the threads that are inside modules now: lanes, including quarantined ones, and control
  /// operations, including those that open, close and finalise.
  [[nodiscard]] int threadsInside() const REQUIRES(poolState);
  /// Adds one to this count of a member until the result is destroyed, which takes the mutex.
  [[nodiscard]] std::shared_ptr<const void> countInside(int& count) REQUIRES(poolState);

 private:
  std::vector<std::unique_ptr<Member>> members_ GUARDED_BY(poolState);
  /// The index after that of the member whose lane was chosen last.
  size_t turn_ GUARDED_BY(poolState) = 0;
  bool closed_ GUARDED_BY(poolState) = false;
};

}  // namespace holdfast
