/// \file Tokens, pools and answers for the tests of the core.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <memory>
#include <string>

#include "control_page.h"
#include "operations/operations.h"
#include "pool.h"

namespace holdfast {

/// A SoftHSM configuration of its own with one token. The destructor removes its folder.
class TestToken {
 public:
  TestToken();
  TestToken(const TestToken&) = delete;
  TestToken& operator=(const TestToken&) = delete;
  ~TestToken();

  static constexpr const char* kLabel = "alpha";
  static constexpr const char* kPin = "1234";

  /// Makes another token in the same module, with the same PIN.
  void addToken(const std::string& label) const;

  const std::filesystem::path& folder() const { return folder_; }
  ModuleOptions module(bool privateInstance = true) const;
  /// The fault-injecting module in front of the token.
  ModuleOptions faultyModule() const;
  /// Replaces its script; see docs/faults.md.
  void obey(const std::string& script) const;
  void heal() const { obey(""); }
  int calls(const std::string& functionName) const;
  /// Counts calls that have not returned.
  int inside(const std::string& functionName) const;
  faulthsm::Word& setting(faulthsm::Setting setting) const { return controls_->settings[setting]; }

 private:
  const faulthsm::Counts& counts(const std::string& functionName) const;

  std::filesystem::path folder_;
  faulthsm::ControlPage* controls_;
};

/// The path of the installed SoftHSM.
std::string softHsmLibrary();

Deadline after(int milliseconds);
Bytes bytesOf(const std::string& text);

/// Posts operations and waits for their outcomes.
class TestPool {
 public:
  explicit TestPool(size_t queueLimit = 100'000);
  TestPool(const TestPool&) = delete;
  TestPool& operator=(const TestPool&) = delete;
  ~TestPool();

  using Pending = std::future<Outcome>;
  /// Calls `start` with a completion and returns its outcome.
  template <typename Start>
  Pending start(const Start& start);

  Pending post(Members members, OperationPointer operation, Deadline deadline = after(20'000),
               uint64_t ticket = 1);
  /// Posts an operation to this member by name.
  Pending post(int member, OperationPointer operation, Deadline deadline = after(20'000),
               uint64_t ticket = 1) {
    return post(Members::only(member), std::move(operation), deadline, ticket);
  }
  Outcome run(int member, OperationPointer operation, Deadline deadline = after(20'000));
  /// Opens a member, logs in, takes the inventory and resumes; returns the member's index.
  int connect(const ModuleOptions& module, LaneLimits limits = {2, 2});
  Outcome reopen(int member, Deadline deadline = after(20'000));
  Outcome logIn(int member, Deadline deadline = after(20'000));
  /// Takes the inventory and resumes the member.
  void admit(int member);
  /// Makes a key with its canary on this member.
  MaterialPointer makeKey(int member);
  uint64_t close(Deadline deadline = after(20'000));
  MemberStatistics statistics(int member) const;

  Pool& pool() { return *pool_; }

 private:
  std::shared_ptr<Watchdog> watchdog_;
  std::shared_ptr<Pool> pool_;
};

/// A sink for one outcome, in place of a promise.
class FutureSink final : public CompletionSink {
 public:
  void complete(uint64_t /*ticket*/, Outcome outcome, Urgency /*urgency*/) override {
    promise_.set_value(std::move(outcome));
  }
  std::future<Outcome> future() { return promise_.get_future(); }

 private:
  std::promise<Outcome> promise_;
};

template <typename Start>
TestPool::Pending TestPool::start(const Start& start) {
  const auto sink = std::make_shared<FutureSink>();
  auto pending = sink->future();
  start(std::make_shared<Completion>(sink, 1));
  return pending;
}

/// The value, or a test failure that gives the reason why there is none.
template <typename T>
T valueOf(Outcome outcome) {
  if (auto* const success = std::get_if<Success>(&outcome)) return std::get<T>(std::move(success->value));
  throw std::runtime_error(messageOf(std::get<Failure>(outcome)));
}

/// The failure; throws if there is none.
Failure failureOf(Outcome outcome);

/// Polls until the condition holds, for at most five seconds.
bool eventually(const std::function<bool()>& condition);

}  // namespace holdfast
