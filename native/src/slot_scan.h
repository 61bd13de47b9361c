/// \file Reads the descriptions of the tokens in a module's slots, even while one of them hangs.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "clock.h"
#include "failure.h"
#include "threads.h"
#include "token.h"

namespace holdfast {

/// The descriptions that a scan has read so far.
struct SlotListing {
  std::vector<TokenInfo> tokens;
  /// The failure of a slot whose token does not answer, or has not answered yet.
  std::optional<Failure> failure;
};

/// Asks one slot after the other, on a thread of its own. When a slot takes a quarter of the available time,
/// another thread goes on with the slots behind it, and later scans skip that slot until it has answered. So
/// each slot that hangs costs one thread, and none blocks the slots behind it.
class SlotScan {
 public:
  using Hold = std::shared_ptr<const void>;
  /// How a pool learns who is inside its module. Both are called while `read` runs, and may not throw.
  struct Holds {
    /// For a thread that asks slots. It is let go when the thread has left the module.
    std::function<Hold()> forScout = [] { return nullptr; };
    /// For the reader while it waits: it is not inside the module itself then.
    std::function<Hold()> forWaiting = [] { return nullptr; };
  };

  explicit SlotScan(Threads& threads) : SlotScan(threads, Holds()) {}
  SlotScan(Threads& threads, Holds holds) : threads_(threads), holds_(std::move(holds)) {}

  /// Whether the scan may stop waiting for the slots that have not answered.
  using IsEnough = std::function<bool(const std::vector<TokenInfo>&)>;

  /// Returns when every slot has answered, when the answers are enough and the other slots overdue, or at the
  /// deadline. Throws if C_GetSlotList fails, or if a slot says that the module is not initialised.
  [[nodiscard]] SlotListing read(const std::shared_ptr<Module>& module, const IsEnough& isEnough,
                                 Deadline deadline);

 private:
  struct Progress;
  void startScout(const std::shared_ptr<Progress>& progress, const std::shared_ptr<Module>& module);
  static void scout(Progress& progress, Module& module);

  Threads& threads_;
  const Holds holds_;
};

}  // namespace holdfast
