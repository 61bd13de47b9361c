#include "handle_cache.h"

#include <gtest/gtest.h>

#include <thread>

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
  entry.recordProof(42, material("a"));
  EXPECT_EQ(entry.provenHandle(material("a")), 42U);
  EXPECT_FALSE(entry.provenHandle(material("b")));
  entry.revokeProof();
  EXPECT_FALSE(entry.provenHandle(material("a")));
  EXPECT_FALSE(entry.canaryIsFresh());
}

TEST(HandleCache, TheCanaryIsRememberedForASecond) {
  HandleEntry entry;
  entry.recordProof(42, material("a"));
  EXPECT_TRUE(entry.canaryIsFresh());
  std::this_thread::sleep_for(std::chrono::milliseconds(1'010));
  EXPECT_FALSE(entry.canaryIsFresh());
  entry.recordCanarySuccess();
  EXPECT_TRUE(entry.canaryIsFresh());
}

TEST(HandleCache, AnInventoryForgetsWhatIsGoneAndDoubtsWhatIsDouble) {
  HandleCache cache;
  const Bytes once{1};
  const Bytes twice{2};
  const Bytes gone{3};
  for (const auto& id : {once, twice, gone}) cache.entry(id)->recordProof(1, material("a"));
  cache.takeInventory({{once, 7}, {twice, 8}, {twice, 9}});
  EXPECT_EQ(cache.size(), 2U);
  EXPECT_TRUE(cache.entry(once)->provenHandle(material("a")));
  EXPECT_FALSE(cache.entry(twice)->provenHandle(material("a")));
  EXPECT_EQ(cache.entry(once)->seenHandle(), 7U);
  EXPECT_FALSE(cache.entry(twice)->seenHandle());
  // What was seen once and is double by now.
  cache.takeInventory({{once, 7}, {once, 8}});
  EXPECT_FALSE(cache.entry(once)->seenHandle());
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
