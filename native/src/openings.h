/// \file How many openings of one member still have something alive in its module.
#pragma once

#include <atomic>
#include <memory>

#include "failure.h"

namespace holdfast {

/// Held by everything that may still be inside the module on behalf of one opening: a private module
/// instance, lanes, control operations. The opening is over when nothing holds it any more.
using OpeningPointer = std::shared_ptr<const void>;

/// A member that is opened again while calls of its former opening hang abandons them: threads, sessions, a
/// copy of the library. This bounds how many such openings there may be.
class Openings : public std::enable_shared_from_this<Openings> {
 public:
  explicit Openings(int max) : max_(max) {}

  /// Begins an opening. Throws `stuck` if the bound is reached: only a new process ends the calls that hang
  /// in the earlier ones.
  [[nodiscard]] OpeningPointer begin() {
    if (++alive_ > max_) {
      --alive_;
      throw failure(FailureKind::kStuck, "too many openings of the member hang in its module");
    }
    return {this, [self = shared_from_this()](const void*) { --self->alive_; }};
  }

  int alive() const { return alive_.load(); }

 private:
  const int max_;
  std::atomic<int> alive_ = 0;
};

}  // namespace holdfast
