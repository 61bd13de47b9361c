#include "environment.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdlib>
#include <thread>

#include "core_fixture.h"

namespace holdfast {
namespace {

constexpr const char* kOne = "HOLDFAST_TEST_ONE";
constexpr const char* kTwo = "HOLDFAST_TEST_TWO";

std::string valueOf(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "(none)" : value;
}

/// Whether a scope with these variables gets its turn while another is active.
bool standsBeside(const EnvironmentVariables& variables) {
  try {
    const EnvironmentScope scope(variables, after(20));
    return true;
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.kind, FailureKind::kLaneDeadline);
    return false;
  }
}

TEST(Environment, IsSetWhileTheScopeLives) {
  {
    const EnvironmentScope scope({{kOne, "1"}, {kTwo, ""}}, after(1'000));
    EXPECT_EQ(valueOf(kOne), "1");
    EXPECT_EQ(valueOf(kTwo), "");
  }
  EXPECT_EQ(valueOf(kOne), "(none)");
  EXPECT_EQ(valueOf(kTwo), "(none)");
}

/// Acts like a module that brings the runtime of another language.
TEST(Environment, AModuleCannotChangeSignalsOrUmask) {
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
  // Under nohup the tests begin with SIGHUP ignored.
  for (const int signal : {SIGTERM, SIGHUP}) static_cast<void>(std::signal(signal, SIG_DFL));
  const auto former = std::signal(SIGUSR2, SIG_DFL);
  const mode_t umask = ::umask(0077);
  {
    const EnvironmentScope scope({}, after(1'000));
    for (const int signal : {SIGTERM, SIGHUP}) static_cast<void>(std::signal(signal, SIG_IGN));
    for (const int signal : {SIGPIPE, SIGUSR2}) static_cast<void>(std::signal(signal, [](int /*signal*/) {}));
    ::umask(0777);
  }
  EXPECT_EQ(std::signal(SIGTERM, SIG_DFL), SIG_DFL);
  EXPECT_EQ(std::signal(SIGHUP, SIG_DFL), SIG_DFL);
  EXPECT_EQ(std::signal(SIGPIPE, SIG_DFL), SIG_IGN);
  // Nothing has used SIGUSR2.
  EXPECT_NE(std::signal(SIGUSR2, former), SIG_DFL);
  EXPECT_EQ(::umask(umask), mode_t(0077));
}

TEST(Environment, OnlyEqualScopesMayOverlap) {
  const EnvironmentScope scope({{kOne, "1"}, {kTwo, "2"}}, after(1'000));
  EXPECT_TRUE(standsBeside({{kTwo, "2"}, {kOne, "1"}}));
  // A module that sets fewer variables must not see what another has set.
  EXPECT_FALSE(standsBeside({{kOne, "1"}}));
  EXPECT_FALSE(standsBeside({}));
  EXPECT_FALSE(standsBeside({{kOne, "1"}, {kTwo, "2"}, {"HOLDFAST_TEST_THREE", "3"}}));
  EXPECT_EQ(valueOf(kOne), "1");
}

TEST(Environment, AScopeThatSetsNothingExcludesOthers) {
  const EnvironmentScope scope({}, after(1'000));
  EXPECT_TRUE(standsBeside({}));
  EXPECT_FALSE(standsBeside({{kOne, "1"}}));
}

TEST(Environment, AValueThatTheProcessHasNeedNotBeSet) {
  ::setenv(kOne, "1", 1);
  {
    const EnvironmentScope scope({{kOne, "1"}}, after(1'000));
    EXPECT_TRUE(standsBeside({}));
  }
  EXPECT_TRUE(leaveTheSame({{kOne, "1"}}, {}));
  {
    const EnvironmentScope other({{kOne, "other"}}, after(1'000));
    EXPECT_TRUE(leaveTheSame({{kOne, "1"}}, {}));
  }
  EXPECT_EQ(valueOf(kOne), "1");
  ::unsetenv(kOne);
  EXPECT_FALSE(leaveTheSame({{kOne, "1"}}, {}));
  EXPECT_FALSE(leaveTheSame({{kOne, ""}}, {}));
  EXPECT_TRUE(leaveTheSame({{kOne, "1"}, {kTwo, "2"}}, {{kTwo, "2"}, {kOne, "1"}}));
}

}  // namespace
}  // namespace holdfast
