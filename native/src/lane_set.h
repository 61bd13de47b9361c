/// \file The lanes of one member and their states.
#pragma once

#include <memory>
#include <vector>

#include "lane.h"
#include "pool_state.h"

namespace holdfast {

/// Holds lanes from start to end, also while they hang. Only it changes their states. It starts none, and has
/// no bounds.
class LaneSet {
 public:
  /// Neither quarantined nor retired.
  size_t size() const REQUIRES(poolState) { return active_.size(); }
  bool isEmpty() const REQUIRES(poolState) { return active_.empty(); }
  size_t quarantined() const REQUIRES(poolState) { return quarantined_.size(); }
  size_t retired() const REQUIRES(poolState) { return retired_.size(); }
  /// No thread of any lane is left.
  bool isDeserted() const REQUIRES(poolState);
  /// Those whose first session is open.
  size_t ready() const REQUIRES(poolState);
  bool areAllReady() const REQUIRES(poolState) { return ready() == size(); }
  /// Those with a request.
  size_t running() const REQUIRES(poolState);
  /// Those that are, or may be, inside the module: all but idle ones.
  size_t inside() const REQUIRES(poolState);

  /// The last one to rest: its caches are warm. Null if none rests.
  [[nodiscard]] Lane* nextIdle() const REQUIRES(poolState) { return idle_.empty() ? nullptr : idle_.back(); }
  /// The one that costs least to end: one that opens, else the one that has rested longest. Null if all work.
  [[nodiscard]] Lane* leastNeeded() const REQUIRES(poolState);
  /// The lane that runs such a request, also if it is retired. Null if none does. What a quarantined lane
  /// runs has its answer.
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
  /// Also those in quarantine.
  void retireAll() REQUIRES(poolState);
  /// Gives the state that it ended from.
  [[nodiscard]] LaneState end(Lane& lane) REQUIRES(poolState);
  /// Wakes idle lanes to see whether their member closes.
  void notifyAll() REQUIRES(poolState);

 private:
  using Lanes = std::vector<std::shared_ptr<Lane>>;

  Lanes active_ GUARDED_BY(poolState);
  Lanes quarantined_ GUARDED_BY(poolState);
  /// Of earlier openings, and those that the token has no session for.
  Lanes retired_ GUARDED_BY(poolState);
  /// In the order in which they came to rest.
  std::vector<Lane*> idle_ GUARDED_BY(poolState);
};

}  // namespace holdfast
