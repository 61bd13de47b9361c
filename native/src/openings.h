/// \file How many openings of one member still have something alive in its module.
#pragma once

#include <atomic>
#include <memory>

#include "failure.h"

namespace holdfast {

/// Held by everything that may still be inside the module on behalf of one opening: a private module
/// instance, lanes, control operations. The opening is over when nothing holds it any more.
using OpeningPointer = std::shared_ptr<const void>;

/// A member that is opened again while calls of its former opening hang leaves those behind: threads, a copy
/// of the library, sessions. This bounds how many such remains there may be.
class Openings : public std::enable_shared_from_this<Openings> {
 public:
  explicit Openings(int most) : most_(most) {}

  /// Throws `stuck` if that many are alive: only a new process gets rid of the calls that hang in them.
  [[nodiscard]] OpeningPointer begin() {
    if (++alive_ > most_) {
      --alive_;
      throw failure(FailureKind::kStuck, "too many openings of the member hang in its module");
    }
    return {this, [self = shared_from_this()](const void*) { --self->alive_; }};
  }

  int alive() const { return alive_.load(); }

 private:
  const int most_;
  std::atomic<int> alive_ = 0;
};

}  // namespace holdfast
