#include "core_fixture.h"

namespace holdfast {
namespace {

TEST(Pool, RoundTrip) {
  const TestToken token;
  TestPool pool;
  const int member = pool.connect(token.module());
  const auto key = pool.makeKey(member);
  const auto encrypted =
      valueOf<EncryptedData>(pool.run(member, makeEncrypt(key, Secret(bytesOf("hello")), bytesOf("aad"))));
  const Bytes nonce(encrypted.nonce.begin(), encrypted.nonce.end());
  const auto opened = pool.run(member, makeDecrypt(key, nonce, encrypted.ciphertext, bytesOf("aad")));
  EXPECT_EQ(std::get<Success>(opened).member, member);
  const auto wrong = pool.run(member, makeDecrypt(key, nonce, encrypted.ciphertext, bytesOf("other")));
  EXPECT_TRUE(std::get<Failure>(wrong).callerFault);
  EXPECT_EQ(pool.close(), 0U);
}

TEST(Pool, ManyThreadsPostAtOnce) {
  const TestToken one;
  const TestToken two;
  TestPool pool;
  const int first = pool.connect(one.module(), {3, 1});
  const int second = pool.connect(two.module(), {3, 1});
  const auto key = pool.makeKey(first);
  std::vector<std::thread> threads;
  std::atomic<int> done = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 50; ++round) {
        auto random = pool.post(Members::all(), makeRandom(16));
        auto encrypting = pool.post(first, makeEncrypt(key, Secret(Bytes(32)), {}));
        if (i == 0) pool.pool().suspend(second);
        if (i == 0) pool.pool().resume(second);
        valueOf<Secret>(random.get());
        valueOf<EncryptedData>(encrypting.get());
        // Lanes open as work waits, never more than the maximum.
        done += pool.statistics(first).lanes <= 3 ? 1 : 0;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(done, 200);
  EXPECT_EQ(pool.close(), 0U);
}

TEST(Pool, GeneratingAndFindingDoNotDisturbEachOther) {
  const TestToken token;
  TestPool pool;
  const int member = pool.connect(token.module(), {4, 1});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 6; ++round) {
        const auto key = pool.makeKey(member);
        valueOf<std::monostate>(pool.run(member, makeProbe(key)));
        valueOf<uint64_t>(pool.run(member, makeDestroyKey(key->identity)));
        EXPECT_EQ(failureOf(pool.run(member, makeProbe(key))).kind, FailureKind::kMaterialMissing);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(pool.close(), 0U);
}

TEST(Pool, ClosingRacesWithPosting) {
  const TestToken token;
  for (int round = 0; round < 5; ++round) {
    TestPool pool;
    const int member = pool.connect(token.module());
    std::vector<TestPool::Pending> pending;
    for (int i = 0; i < 100; ++i) pending.push_back(pool.post(member, makeRandom(8)));
    std::thread poster([&] {
      for (int i = 0; i < 100; ++i) pool.post(Members::all(), makeRandom(8)).get();
    });
    EXPECT_EQ(pool.close(), 0U);
    for (auto& one : pending) valueOf<Secret>(one.get());
    poster.join();
  }
}

TEST(Pool, ATokenThatVanishesIsNotAMissingKey) {
  const TestToken token;
  TestPool pool;
  const int member = pool.connect(token.module());
  const auto key = pool.makeKey(member);
  valueOf<std::monostate>(pool.run(member, makeProbe(key)));
  std::filesystem::rename(token.folder() / "tokens", token.folder() / "away");
  const auto failed = failureOf(pool.run(member, makeEncrypt(key, Secret(Bytes(1)), {})));
  EXPECT_EQ(failed.kind, FailureKind::kRv);
  EXPECT_EQ(failed.rv, CKR_DEVICE_REMOVED);
  EXPECT_FALSE(failed.callerFault);
}

}  // namespace
}  // namespace holdfast
