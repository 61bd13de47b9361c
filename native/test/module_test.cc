#include "module.h"

#include "core_fixture.h"
#include "token.h"

namespace holdfast {
namespace {

TEST(Module, PrivateInstancesAreIndependent) {
  const TestToken one;
  const TestToken two;
  const auto first = Module::open(one.module());
  const auto second = Module::open(two.module());
  EXPECT_NE(&first->functions(), &second->functions());
  const auto token = Token::find(first, {TestToken::kLabel, std::nullopt});
  EXPECT_NE(token->info().serialNumber,
            Token::find(second, {TestToken::kLabel, std::nullopt})->info().serialNumber);
  EXPECT_EQ(std::getenv("SOFTHSM2_CONF"), nullptr);
}

TEST(Module, AFinalisedPrivateCopyIsUsedAgain) {
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

TEST(Module, ATokenThatAppearsLaterIsFoundByInitialisingAgain) {
  const TestToken token;
  const auto tokens = token.folder() / "tokens";
  const auto away = token.folder() / "away";
  std::filesystem::rename(tokens, away);
  std::filesystem::create_directory(tokens);
  const auto module = Module::open(token.module());
  std::filesystem::remove(tokens);
  std::filesystem::rename(away, tokens);
  EXPECT_EQ(Token::find(module, {TestToken::kLabel, std::nullopt})->info().label, TestToken::kLabel);
}

TEST(Token, ASecondLoginOfThisProcessIsASuccess) {
  const TestToken token;
  const auto found = Token::find(Module::open(token.module()), {TestToken::kLabel, std::nullopt});
  const Secret pin(bytesOf(TestToken::kPin));
  found->login(pin, after(5'000));
  found->login(pin, after(5'000));
  EXPECT_EQ(found->logins(), 2U);
  const Session session(*found);
  EXPECT_NO_THROW(found->proveAlive(session));
}

TEST(Token, IsNotAliveWithoutItsFilesOrWithoutLogin) {
  const TestToken token;
  const auto found = Token::find(Module::open(token.module()), {TestToken::kLabel, std::nullopt});
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
