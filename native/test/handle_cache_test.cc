#include "handle_cache.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

ObjectIdentity secretKey(Bytes id) { return {CKO_SECRET_KEY, std::move(id)}; }

MaterialPointer material(const std::string& label) {
  Material made;
  made.identity = secretKey({1, 2, 3});
  made.label = label;
  return std::make_shared<const Material>(std::move(made));
}

TEST(HandleCache, AProofIsForOneMaterialContent) {
  HandleEntry entry;
  EXPECT_FALSE(entry.provenHandle(material("a")));
  entry.recordProof(42, material("a"), Clock::now());
  EXPECT_EQ(entry.provenHandle(material("a")), 42U);
  EXPECT_FALSE(entry.provenHandle(material("b")));
  entry.revokeProof();
  EXPECT_FALSE(entry.provenHandle(material("a")));
  EXPECT_FALSE(entry.canarySucceededSince({}));
}

TEST(HandleCache, ACanaryAttemptCountsFromWhenItBegan) {
  HandleEntry entry;
  const auto begun = Clock::now();
  entry.recordProof(42, material("a"), begun);
  EXPECT_TRUE(entry.canarySucceededSince(begun));
  EXPECT_FALSE(entry.canarySucceededSince(begun + std::chrono::nanoseconds(1)));
  const auto later = begun + std::chrono::seconds(1);
  entry.recordCanarySuccess(later);
  EXPECT_TRUE(entry.canarySucceededSince(later));
}

TEST(HandleCache, AnInventoryForgetsMissingKeysAndDoubtsDuplicates) {
  HandleCache cache;
  const auto once = secretKey({1});
  const auto twice = secretKey({2});
  const auto gone = secretKey({3});
  for (const auto& id : {once, twice, gone}) cache.entry(id)->recordProof(1, material("a"), Clock::now());
  cache.takeInventory({{once, 7}, {twice, 8}, {twice, 9}});
  EXPECT_EQ(cache.size(), 2U);
  EXPECT_TRUE(cache.entry(once)->provenHandle(material("a")));
  EXPECT_FALSE(cache.entry(twice)->provenHandle(material("a")));
  EXPECT_EQ(cache.entry(once)->candidate(), 7U);
  EXPECT_FALSE(cache.entry(twice)->candidate());
  // One handle was seen before; now the key has two.
  cache.takeInventory({{once, 7}, {once, 8}});
  EXPECT_FALSE(cache.entry(once)->candidate());
}

TEST(HandleCache, TheKeysOfAPairShareAnIdButNotAnEntry) {
  HandleCache cache;
  const ObjectIdentity privateKey{CKO_PRIVATE_KEY, {1}};
  const ObjectIdentity publicKey{CKO_PUBLIC_KEY, {1}};
  cache.takeInventory({{privateKey, 7}, {publicKey, 8}});
  EXPECT_EQ(cache.entry(privateKey)->candidate(), 7U);
  EXPECT_EQ(cache.entry(publicKey)->candidate(), 8U);
  cache.drop(publicKey);
  EXPECT_EQ(cache.entry(privateKey)->candidate(), 7U);
  EXPECT_FALSE(cache.entry(publicKey)->candidate());
}

TEST(HandleCache, DropsAnEntryOnlyIfItIsStillThere) {
  HandleCache cache;
  const auto old = cache.entry(secretKey({1}));
  cache.drop(secretKey({1}), old);
  const auto next = cache.entry(secretKey({1}));
  EXPECT_NE(old, next);
  cache.drop(secretKey({1}), old);
  EXPECT_EQ(cache.entry(secretKey({1})), next);
}

}  // namespace
}  // namespace holdfast
