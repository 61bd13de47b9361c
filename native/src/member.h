/// \file The state of one member.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "lane_budget.h"
#include "lane_set.h"
#include "member_state.h"
#include "members.h"
#include "pool_state.h"

namespace holdfast {

/// How many lanes a member may have, and how many quarantined ones are replaced.
struct LaneLimits {
  int laneCount = 1;
  int maxQuarantinedLanes = 1;
};

/// `NativeMemberOptions`.
struct MemberOptions {
  ModuleOptions module;
  TokenName token;
  LaneLimits lanes;
  /// How many openings may hang in the module beside the one that serves.
  int maxStuckOpenings = 2;
};

/// `NativeMemberStatistics` of src/hsm/native.ts.
struct MemberStatistics {
  int member = -1;
  uint64_t epoch = 0;
  bool admitted = false;
  int lanes = 0;
  int laneTarget = 0;
  int quarantinedLanes = 0;
  int queued = 0;
  int running = 0;
  uint64_t logins = 0;
  uint64_t cachedHandles = 0;
  int openings = 0;
  int threadsInside = 0;
  uint64_t operations = 0;
  Clock::duration busy{};
};

/// One member of a pool, open or not.
struct Member {
  int index = -1;
  MemberOptions options;
  LaneLimits limits GUARDED_BY(poolState);
  /// How many lanes there may be now.
  LaneBudget budget GUARDED_BY(poolState);
  /// Whether a lane has been open since the last login.
  bool served GUARDED_BY(poolState) = false;
  /// The profile of the next epoch.
  Profile profile GUARDED_BY(poolState);
  std::shared_ptr<Openings> openings;
  /// Null while the member is not open.
  std::shared_ptr<Token> token GUARDED_BY(poolState);
  OpeningPointer opening GUARDED_BY(poolState);
  std::shared_ptr<Epoch> epoch GUARDED_BY(poolState);
  MemberState state GUARDED_BY(poolState) = MemberState::kSuspended;
  /// A call hung when no more lanes might be replaced. The member takes no work, whatever its state, until a
  /// lane may be replaced again.
  bool exhausted GUARDED_BY(poolState) = false;
  /// How many control operations hold the token.
  int tokenHolders GUARDED_BY(poolState) = 0;
  /// How many threads are opening the member.
  int threadsOpening GUARDED_BY(poolState) = 0;
  /// How many of them wait outside the module for the others.
  int openersWaiting GUARDED_BY(poolState) = 0;
  /// How many threads are releasing the member.
  int threadsReleasing GUARDED_BY(poolState) = 0;
  /// How many logins earlier openings made.
  uint64_t formerLogins GUARDED_BY(poolState) = 0;
  LaneSet lanes GUARDED_BY(poolState);
  /// How many operations its lanes have ended with success, and how long they held the lanes, with those that
  /// failed.
  uint64_t operations GUARDED_BY(poolState) = 0;
  Clock::duration busy GUARDED_BY(poolState){};
  /// Why a lane could not open its first session, since the last start.
  std::optional<Failure> laneFailure GUARDED_BY(poolState);

  bool isClosing() const REQUIRES(poolState) { return holdfast::isClosing(state); }
  /// Whether its lanes may run a request for these members.
  [[nodiscard]] bool takes(Members members) const REQUIRES(poolState);
  [[nodiscard]] bool takesSharedWork() const REQUIRES(poolState);
  [[nodiscard]] bool takesNamedWork() const REQUIRES(poolState);
  /// Whether there are more lanes than the budget allows.
  [[nodiscard]] bool hasSurplus() const REQUIRES(poolState);
  /// Whether a lane that hangs may have another in its place.
  [[nodiscard]] bool mayReplace() const REQUIRES(poolState);
  /// Counts the threads that are inside the module, or will be before the member is closed. An idle lane only
  /// closes its session, and a release only finalises. Together they count as one, and only if nothing else
  /// is inside: the release begins at the very deadline at which the others are counted.
  [[nodiscard]] int threadsInside() const REQUIRES(poolState);
};

}  // namespace holdfast
