#include "handle_cache.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

MaterialPointer material(const std::string& label) {
  Material made;
  made.id = {1, 2, 3};
  made.label = label;
  return std::make_shared<const Material>(std::move(made));
}

TEST(HandleCache, AProofIsForOneContent) {
  HandleEntry entry;
  EXPECT_FALSE(entry.provenHandle(material("a")));
  entry.recordProof(42, material("a"), Clock::now());
  EXPECT_EQ(entry.provenHandle(material("a")), 42U);
  EXPECT_FALSE(entry.provenHandle(material("b")));
  entry.revokeProof();
  EXPECT_FALSE(entry.provenHandle(material("a")));
  EXPECT_FALSE(entry.canarySucceededSince({}));
}

TEST(HandleCache, ATryOfTheCanaryIsOfTheMomentWhenItBegan) {
  HandleEntry entry;
  const auto begun = Clock::now();
  entry.recordProof(42, material("a"), begun);
  EXPECT_TRUE(entry.canarySucceededSince(begun));
  EXPECT_FALSE(entry.canarySucceededSince(begun + std::chrono::nanoseconds(1)));
  const auto later = begun + std::chrono::seconds(1);
  entry.recordCanarySuccess(later);
  EXPECT_TRUE(entry.canarySucceededSince(later));
}

TEST(HandleCache, AnInventoryForgetsWhatIsGoneAndDoubtsWhatIsDouble) {
  HandleCache cache;
  const Bytes once{1};
  const Bytes twice{2};
  const Bytes gone{3};
  for (const auto& id : {once, twice, gone}) cache.entry(id)->recordProof(1, material("a"), Clock::now());
  cache.takeInventory({{once, 7}, {twice, 8}, {twice, 9}});
  EXPECT_EQ(cache.size(), 2U);
  EXPECT_TRUE(cache.entry(once)->provenHandle(material("a")));
  EXPECT_FALSE(cache.entry(twice)->provenHandle(material("a")));
  EXPECT_EQ(cache.entry(once)->candidate(), 7U);
  EXPECT_FALSE(cache.entry(twice)->candidate());
  // What was seen once and is double by now.
  cache.takeInventory({{once, 7}, {once, 8}});
  EXPECT_FALSE(cache.entry(once)->candidate());
}

TEST(HandleCache, DropsAnEntryOnlyIfItIsStillThere) {
  HandleCache cache;
  const auto old = cache.entry({1});
  cache.drop({1}, old);
  const auto next = cache.entry({1});
  EXPECT_NE(old, next);
  cache.drop({1}, old);
  EXPECT_EQ(cache.entry({1}), next);
}

}  // namespace
}  // namespace holdfast
