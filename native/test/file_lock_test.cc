#include "module_lock.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

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

TEST(ModuleLock, KeepsOutOnlyWhoInitialisesTheSame) {
  const TestToken token;
  const std::string folder = token.folder() / "locks";
  const auto first = ModuleLock::acquire(softHsm("one"), folder, after(1'000));
  EXPECT_NE(ModuleLock::acquire(softHsm("two"), folder, after(1'000)), nullptr);
  EXPECT_EQ(kindOf([&] { ModuleLock::acquire(softHsm("one"), folder, after(50)); }), FailureKind::kLock);
}

TEST(ModuleLock, IsExclusiveAndReleasable) {
  const TestToken token;
  const std::string folder = token.folder() / "locks";
  const auto first = ModuleLock::acquire(softHsm(), folder, after(1'000));
  const auto second = [&] { return ModuleLock::acquire(softHsm(), folder, after(50)); };
  EXPECT_EQ(kindOf(second), FailureKind::kLock);
  first->release();
  EXPECT_NE(second(), nullptr);
}

TEST(ModuleLock, RefusesAFolderThatOthersMayUse) {
  const TestToken token;
  const std::string folder = token.folder() / "locks";
  std::filesystem::create_directory(folder);
  ::chmod(folder.c_str(), 0755);
  EXPECT_EQ(kindOf([&] { ModuleLock::acquire(softHsm(), folder, after(50)); }), FailureKind::kLock);
  std::ofstream(token.folder() / "file") << "x";
  const std::string file = token.folder() / "file";
  EXPECT_EQ(kindOf([&] { ModuleLock::acquire(softHsm(), file, after(50)); }), FailureKind::kLock);
}

}  // namespace
}  // namespace holdfast
