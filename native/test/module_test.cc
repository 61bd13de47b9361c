#include "module.h"

#include "core_fixture.h"
#include "slot_scan.h"
#include "token.h"

namespace holdfast {
namespace {

std::shared_ptr<Token> find(const std::shared_ptr<Module>& module) {
  static Threads threads;
  return Token::find(module, {TestToken::kLabel, std::nullopt}, SlotScan(threads), after(20'000));
}

TEST(Module, PrivateInstancesAreIndependent) {
  const TestToken one;
  const TestToken two;
  const auto first = Module::open(one.module());
  const auto second = Module::open(two.module());
  EXPECT_NE(&first->functions(), &second->functions());
  const auto token = find(first);
  EXPECT_NE(token->info().serialNumber, find(second)->info().serialNumber);
  EXPECT_EQ(std::getenv("SOFTHSM2_CONF"), nullptr);
}

TEST(Module, AFinalisedPrivateCopyIsReused) {
  const TestToken token;
  const auto* const first = &Module::open(token.module())->functions();
  EXPECT_EQ(first, &Module::open(token.module())->functions());
}

TEST(Module, ASharedInstanceIsInitialisedOnce) {
  const TestToken token;
  const auto first = Module::open(token.module(false));
  EXPECT_EQ(first, Module::open(token.module(false)));
  EXPECT_FALSE(Module::open(token.module(false))->reinitialize(after(5'000)));
}

FailureKind refusalOf(const ModuleOptions& options) {
  try {
    static_cast<void>(Module::open(options));
  } catch (const Failure& failure) {
    return failure.kind;
  }
  return FailureKind::kRv;
}

TEST(Module, OnlyMembersWithTheSameOptionsShareAnInstance) {
  const TestToken one;
  const TestToken two;
  const auto alive = Module::open(one.module(false));
  EXPECT_EQ(refusalOf(two.module(false)), FailureKind::kModuleInUse);
  auto withText = one.module(false);
  withText.initializationString = "";
  EXPECT_EQ(refusalOf(withText), FailureKind::kModuleInUse);
  auto withMore = one.module(false);
  withMore.environment["HOLDFAST_TEST"] = "";
  EXPECT_EQ(refusalOf(withMore), FailureKind::kModuleInUse);
  auto withLess = one.module(false);
  withLess.environment.clear();
  EXPECT_EQ(refusalOf(withLess), FailureKind::kModuleInUse);
  EXPECT_EQ(alive, Module::open(one.module(false)));
}

TEST(Module, ALibraryIsTheSameUnderEveryName) {
  const TestToken one;
  const TestToken two;
  const auto library = std::filesystem::canonical(softHsmLibrary());
  // Makes a copy to link to, because a hard link must not cross file systems.
  const auto file = one.folder() / "library.so";
  std::filesystem::copy_file(library, file);
  std::filesystem::create_symlink(file, one.folder() / "symbolic.so");
  std::filesystem::create_hard_link(file, one.folder() / "hard.so");
  auto options = one.module(false);
  options.libraryPath = file;
  const auto alive = Module::open(options);
  for (const auto& name : {one.folder() / "symbolic.so", one.folder() / "hard.so",
                           one.folder() / "tokens" / ".." / "library.so"}) {
    options.libraryPath = name;
    EXPECT_EQ(alive, Module::open(options)) << name;
    auto other = two.module(false);
    other.libraryPath = name;
    EXPECT_EQ(refusalOf(other), FailureKind::kModuleInUse) << name;
  }
}

TEST(Module, AnInstanceThatHasEndedMayBeOpenedWithOtherOptions) {
  const TestToken one;
  const TestToken two;
  const auto serialOf = [](const TestToken& token) {
    const auto module = Module::open(token.module(false));
    return find(module)->info().serialNumber;
  };
  EXPECT_NE(serialOf(one), serialOf(two));
}

TEST(Module, ATokenThatAppearsLaterIsFoundByInitialisingAgain) {
  const TestToken token;
  const auto tokens = token.folder() / "tokens";
  const auto away = token.folder() / "away";
  std::filesystem::rename(tokens, away);
  std::filesystem::create_directory(tokens);
  const auto module = Module::open(token.module());
  std::filesystem::remove(tokens);
  std::filesystem::rename(away, tokens);
  EXPECT_EQ(find(module)->info().label, TestToken::kLabel);
}

/// Whether finding the token fails while this rule is in force.
std::optional<Failure> findingFails(const TestToken& token, const std::string& script) {
  token.obey(script);
  const auto module = Module::open(token.faultyModule());
  try {
    find(module);
    return std::nullopt;
  } catch (const Failure& failure) {
    return failure;
  }
}

TEST(Token, IsFoundEvenIfAListGrowsWhileRead) {
  const TestToken token;
  for (const char* const list : {"C_GetSlotList", "C_GetMechanismList"}) {
    const std::string name = list;
    EXPECT_FALSE(findingFails(token, name + " after 1 times 1 rv 0x150")) << name;
  }
}

TEST(Token, IsNotReportedMissingIfItDoesNotAnswer) {
  const TestToken token;
  for (const char* const name : {"C_GetTokenInfo", "C_GetMechanismList", "C_GetSlotList"}) {
    for (const CK_RV rv : {CKR_DEVICE_ERROR, CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED, CKR_DEVICE_MEMORY}) {
      char script[64];
      static_cast<void>(std::snprintf(script, sizeof script, "%s rv 0x%lx", name, rv));
      const auto failed = findingFails(token, script);
      ASSERT_TRUE(failed) << script;
      EXPECT_EQ(failed->kind, FailureKind::kRv) << script;
      EXPECT_EQ(failed->rv, rv) << script;
      EXPECT_STREQ(nameOf(failed->function), name);
    }
  }
  EXPECT_EQ(findingFails(token, "C_GetTokenInfo rv 0xe0")->kind, FailureKind::kTokenMissing);
}

TEST(Token, ASecondLoginOfThisProcessSucceeds) {
  const TestToken token;
  const auto found = find(Module::open(token.module()));
  const Secret pin(bytesOf(TestToken::kPin));
  found->login(pin, after(5'000));
  found->login(pin, after(5'000));
  EXPECT_EQ(found->logins(), 2U);
  const Session session(*found);
  EXPECT_NO_THROW(found->proveAlive(session));
}

TEST(Token, AlreadyLoggedInCountsOnlyForTheSamePin) {
  const TestToken token;
  const auto found = find(Module::open(token.module()));
  found->login(Secret(bytesOf(TestToken::kPin)), after(5'000));
  for (const char* const wrong : {"4321", "123", "12345", ""}) {
    try {
      found->login(Secret(bytesOf(wrong)), after(5'000));
      ADD_FAILURE() << wrong << " was accepted";
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.rv, CKR_USER_ALREADY_LOGGED_IN);
    }
  }
  EXPECT_NO_THROW(found->login(Secret(bytesOf(TestToken::kPin)), after(5'000)));
}

TEST(Token, IsNotAliveWithoutItsFilesOrALogin) {
  const TestToken token;
  const auto found = find(Module::open(token.module()));
  const auto rvOf = [&](const Session& session) {
    try {
      found->proveAlive(session);
    } catch (const Failure& failure) {
      return failure.rv;
    }
    return CK_RV{CKR_OK};
  };
  const Session session(*found);
  EXPECT_EQ(rvOf(session), CKR_USER_NOT_LOGGED_IN);
  found->login(Secret(bytesOf(TestToken::kPin)), after(5'000));
  EXPECT_EQ(rvOf(session), CKR_OK);
  std::filesystem::rename(token.folder() / "tokens", token.folder() / "away");
  EXPECT_EQ(rvOf(session), CKR_DEVICE_REMOVED);
}

}  // namespace
}  // namespace holdfast
