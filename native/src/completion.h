/// \file The one answer that an operation gets.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "operation.h"

namespace holdfast {

/// How soon an answer must reach JavaScript.
enum class Urgency {
  kNow,
  /// More answers are under way: this one may wait for them, a few milliseconds at most.
  kSoon,
};

/// The receiver of answers: the binding's completion queue, or a test.
class CompletionSink {
 public:
  CompletionSink() = default;
  CompletionSink(const CompletionSink&) = delete;
  CompletionSink& operator=(const CompletionSink&) = delete;
  virtual ~CompletionSink() = default;
  /// Called on any thread; must not block.
  virtual void complete(uint64_t ticket, Outcome outcome, Urgency urgency) = 0;
};

/// The first thread to claim the completion answers. The loser's outcome is destroyed, which zeroes its
/// secrets (invariant 6).
class Completion {
 public:
  Completion(std::shared_ptr<CompletionSink> sink, uint64_t ticket)
      : sink_(std::move(sink)), ticket_(ticket) {}

  [[nodiscard]] bool claim() { return !claimed_.exchange(true); }
  uint64_t ticket() const { return ticket_; }
  bool isClaimed() const { return claimed_.load(); }
  /// Delivers the answer. Called by the claimer, once.
  void deliver(Outcome outcome, Urgency urgency = Urgency::kNow) {
    sink_->complete(ticket_, std::move(outcome), urgency);
  }
  /// Claims, and delivers if the claim was the first.
  bool complete(Outcome outcome, Urgency urgency = Urgency::kNow) {
    const bool first = claim();
    if (first) deliver(std::move(outcome), urgency);
    return first;
  }

 private:
  const std::shared_ptr<CompletionSink> sink_;
  const uint64_t ticket_;
  std::atomic<bool> claimed_ = false;
};

}  // namespace holdfast
