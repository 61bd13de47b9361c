/// \file What the dispatcher knows of one member.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "lane.h"
#include "lane_budget.h"

namespace holdfast {

/// How many lanes, and how many stuck ones may be replaced.
struct LaneLimits {
  int laneCount = 1;
  int maxQuarantinedLanes = 1;
};

/// `NativeMemberOptions`.
struct MemberOptions {
  ModuleOptions module;
  TokenName token;
  LaneLimits lanes;
  /// Most openings that may hang in the module beside the one that serves.
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
};

/// Guarded by the dispatcher's mutex. Lanes are here from their start to their end, also while they hang.
struct Member {
  int index = -1;
  MemberOptions options;
  LaneLimits limits;
  /// How many lanes there may be now.
  LaneBudget budget;
  /// A lane has been open since the last login.
  bool served = false;
  /// Of the epochs to come.
  Profile profile;
  std::shared_ptr<Openings> openings;
  /// Null while it is not open.
  std::shared_ptr<Token> token;
  OpeningPointer opening;
  std::shared_ptr<Epoch> epoch;
  bool admitted = false;
  /// No new work; lanes end once what was accepted is done.
  bool closing = false;
  /// More lanes hang than may be replaced.
  bool exhausted = false;
  /// A call hangs and none has succeeded since: no more shared work until one does, or until it is resumed.
  bool suspected = false;
  /// Control operations that hold the token.
  int tokenHolders = 0;
  /// Threads that open it.
  int threadsOpening = 0;
  /// Threads that release it.
  int threadsReleasing = 0;
  /// Logins of earlier openings.
  uint64_t formerLogins = 0;
  std::deque<RequestPointer> pinned;
  std::vector<std::shared_ptr<Lane>> lanes;
  std::vector<std::shared_ptr<Lane>> quarantined;
  /// Lanes of earlier openings, and those that the token has no session for, that have not ended yet.
  std::vector<std::shared_ptr<Lane>> retired;
  /// The last one idle is the next one used: its caches are warm.
  std::vector<Lane*> idle;
  /// Why a lane could not open its first session, since the last start.
  std::optional<Failure> laneFailure;

  /// Threads that are inside the module, or will be before the member is closed. A lane at rest only closes
  /// its session, and a release only finalises, so together they count as one, and only while nothing else
  /// does: the release begins at the very deadline at which the others are counted.
  int threadsInside() const;
  bool takesSharedWork() const { return admitted && !suspected && takesPinnedWork(); }
  bool takesPinnedWork() const { return !closing && !exhausted && !lanes.empty(); }
};

}  // namespace holdfast
