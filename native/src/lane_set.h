/// \file The lanes of one member and their states.
#pragma once

#include <memory>
#include <vector>

#include "lane.h"
#include "pool_state.h"

namespace holdfast {

/// Holds lanes from start to end, even while they hang. Only this class changes their states. It starts no
/// lanes and sets no bounds.
class LaneSet {
 public:
  /// Counts the lanes that are neither quarantined nor retired.
  size_t size() const REQUIRES(poolState) { return active_.size(); }
  bool isEmpty() const REQUIRES(poolState) { return active_.empty(); }
  size_t quarantined() const REQUIRES(poolState) { return quarantined_.size(); }
  size_t retired() const REQUIRES(poolState) { return retired_.size(); }
  /// Whether no lane's thread is left.
  bool isDeserted() const REQUIRES(poolState);
  /// Counts the lanes whose first session is open.
  size_t ready() const REQUIRES(poolState);
  bool areAllReady() const REQUIRES(poolState) { return ready() == size(); }
  /// Counts the lanes with a request.
  size_t running() const REQUIRES(poolState);
  /// Counts the lanes that are, or may be, inside the module: all but idle ones.
  size_t inside() const REQUIRES(poolState);

  /// The lane that came to rest last, because its caches are warm. Null if none is idle.
  [[nodiscard]] Lane* nextIdle() const REQUIRES(poolState) { return idle_.empty() ? nullptr : idle_.back(); }
  /// The lane that costs least to end: one that is still opening, or else the one idle longest. Null if all
  /// are working.
  [[nodiscard]] Lane* leastNeeded() const REQUIRES(poolState);
  /// The lane, possibly retired, that runs a request that matches. Null if none does. Quarantined lanes are
  /// not searched, because their requests have been answered.
  template <typename Predicate>
  [[nodiscard]] Lane* runnerOf(Predicate matches) const REQUIRES(poolState) {
    for (const auto* const lanes : {&active_, &retired_}) {
      for (const auto& lane : *lanes) {
        if (lane->place.current && matches(*lane->place.current)) return lane.get();
      }
    }
    return nullptr;
  }

  void add(std::shared_ptr<Lane> lane) REQUIRES(poolState) { active_.push_back(std::move(lane)); }
  static void opened(Lane& lane) REQUIRES(poolState);
  void rest(Lane& lane) REQUIRES(poolState);
  void wake(Lane& lane) REQUIRES(poolState);
  void quarantine(Lane& lane) REQUIRES(poolState);
  void retire(Lane& lane) REQUIRES(poolState);
  /// Retires every lane, including quarantined ones.
  void retireAll() REQUIRES(poolState);
  /// Ends the lane and returns the state that it was in.
  [[nodiscard]] LaneState end(Lane& lane) REQUIRES(poolState);
  /// Wakes the idle lanes, which then check whether their member is closing.
  void notifyAll() REQUIRES(poolState);

 private:
  using Lanes = std::vector<std::shared_ptr<Lane>>;

  Lanes active_ GUARDED_BY(poolState);
  Lanes quarantined_ GUARDED_BY(poolState);
  /// Lanes of earlier openings, and lanes that the token has no session for.
  Lanes retired_ GUARDED_BY(poolState);
  /// Idle lanes, in the order in which they came to rest.
  std::vector<Lane*> idle_ GUARDED_BY(poolState);
};

}  // namespace holdfast
