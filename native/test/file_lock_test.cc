#include "file_lock.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "core_fixture.h"

namespace holdfast {
namespace {

FailureKind kindOf(const std::function<void()>& call) {
  try {
    call();
  } catch (const Failure& failure) {
    return failure.kind;
  }
  throw std::runtime_error("a failure was expected");
}

ModuleOptions softHsm(const std::string& configuration = "") {
  ModuleOptions options;
  options.libraryPath = softHsmLibrary();
  if (!configuration.empty()) options.environment["SOFTHSM2_CONF"] = configuration;
  return options;
}

TEST(FileLock, ExcludesOnlyInitialisationsOfTheSameModule) {
  const TestToken token;
  const std::string folder = token.folder() / "locks";
  const auto first = FileLock::ofModule(softHsm("one"), folder, after(1'000));
  EXPECT_NE(FileLock::ofModule(softHsm("two"), folder, after(1'000)), nullptr);
  EXPECT_EQ(kindOf([&] { return FileLock::ofModule(softHsm("one"), folder, after(50)); }),
            FailureKind::kLockHeld);
}

TEST(FileLock, IsExclusiveAndReleasable) {
  const TestToken token;
  const std::string folder = token.folder() / "locks";
  auto first = FileLock::ofModule(softHsm(), folder, after(1'000));
  const auto second = [&] { return FileLock::ofModule(softHsm(), folder, after(50)); };
  EXPECT_EQ(kindOf(second), FailureKind::kLockHeld);
  first.reset();
  EXPECT_NE(second(), nullptr);
}

/// Acts, while the helper lives, like a module whose C_Initialize forks a helper.
TEST(FileLock, IsNotKeptByAChildThatInheritsIt) {
  const TestToken token;
  const std::string folder = token.folder() / "locks";
  auto first = FileLock::ofModule(softHsm(), folder, after(1'000));
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) ::pause();
  }
  first.reset();
  EXPECT_NE(FileLock::ofModule(softHsm(), folder, after(50)), nullptr);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST(FileLock, ALoginLockIsForOneTokenAndOneVersionOfItsPin) {
  const TestToken token;
  const std::string folder = token.folder() / "locks";
  const auto first = FileLock::ofLogin("1", "store:1", folder, after(1'000));
  EXPECT_NE(FileLock::ofLogin("2", "store:1", folder, after(50)), nullptr);
  EXPECT_NE(FileLock::ofLogin("1", "store:2", folder, after(50)), nullptr);
  EXPECT_EQ(kindOf([&] { return FileLock::ofLogin("1", "store:1", folder, after(50)); }),
            FailureKind::kLockHeld);
}

TEST(FileLock, AFailureToCreateItIsNotReportedAsHeld) {
  const TestToken token;
  const std::string folder = token.folder() / "locks";
  FileLock::ofLogin("1", "store:1", folder, after(50)).reset();
  const auto file = std::filesystem::directory_iterator(folder)->path();
  std::filesystem::remove(file);
  std::filesystem::create_directory(file);
  EXPECT_EQ(kindOf([&] { return FileLock::ofLogin("1", "store:1", folder, after(50)); }), FailureKind::kLock);
}

TEST(FileLock, RefusesAFolderThatIsNotPrivate) {
  const TestToken token;
  const std::string folder = token.folder() / "locks";
  std::filesystem::create_directory(folder);
  ::chmod(folder.c_str(), 0755);
  EXPECT_EQ(kindOf([&] { return FileLock::ofModule(softHsm(), folder, after(50)); }), FailureKind::kLock);
  std::ofstream(token.folder() / "file") << "x";
  const std::string file = token.folder() / "file";
  EXPECT_EQ(kindOf([&] { return FileLock::ofModule(softHsm(), file, after(50)); }), FailureKind::kLock);
}

}  // namespace
}  // namespace holdfast
