#include "core_fixture.h"

namespace holdfast {
namespace {

/// A key that is on the token before the pool under test logs in. The intruder has the PIN too.
struct SeenKeyOnToken {
  SeenKeyOnToken()
      : intruderMember(intruder.connect(token.module())), key(intruder.makeKey(intruderMember)) {}

  void connect() { member = pool.connect(token.faultyModule(), {1, 1}); }
  Outcome encrypt() { return pool.run(member, makeEncrypt(key, Secret(Bytes(8)), {})); }
  void plant() {
    valueOf<EncryptedData>(
        intruder.run(intruderMember, makeGenerateKey(key->identity.id, key->label, bytesOf("known"), {})));
  }
  void remove() { valueOf<uint64_t>(intruder.run(intruderMember, makeDestroyKey(key->identity))); }
  int finds() const { return token.calls("C_FindObjectsInit"); }
  void takeInventory() {
    auto pending =
        pool.start([&](const auto& answer) { pool.pool().inventory(answer, member, after(20'000)); });
    valueOf<std::vector<ObjectSummary>>(pending.get());
  }

  TestToken token;
  TestPool intruder;
  TestPool pool;
  int intruderMember;
  MaterialPointer key;
  int member = -1;
};

TEST(Inventory, AKeyThatItSawIsProvedWithoutAFind) {
  SeenKeyOnToken on;
  on.connect();
  const int before = on.finds();
  valueOf<EncryptedData>(on.encrypt());
  EXPECT_EQ(on.finds(), before);
  // A probe always searches.
  valueOf<std::monostate>(on.pool.run(on.member, makeProbe(on.key)));
  EXPECT_EQ(on.finds(), before + 1);
}

TEST(Inventory, ADuplicateThatItSawIsAmbiguous) {
  SeenKeyOnToken on;
  on.plant();
  on.connect();
  EXPECT_EQ(failureOf(on.encrypt()).kind, FailureKind::kMaterialAmbiguous);
}

TEST(Inventory, ADuplicatePlantedAfterItIsNoticedByTheNextOne) {
  SeenKeyOnToken on;
  on.connect();
  on.plant();
  valueOf<EncryptedData>(on.encrypt());
  on.takeInventory();
  EXPECT_EQ(failureOf(on.encrypt()).kind, FailureKind::kMaterialAmbiguous);
}

TEST(Inventory, AStaleHandleLeadsToAFind) {
  SeenKeyOnToken on;
  on.connect();
  on.remove();
  EXPECT_EQ(failureOf(on.encrypt()).kind, FailureKind::kMaterialMissing);
}

TEST(Inventory, AnotherKeyUnderTheHandleFailsTheCanary) {
  SeenKeyOnToken on;
  on.connect();
  on.remove();
  on.plant();
  EXPECT_EQ(failureOf(on.encrypt()).kind, FailureKind::kCanaryFailed);
  // The same holds after an inventory that saw only the planted key.
  on.takeInventory();
  EXPECT_EQ(failureOf(on.encrypt()).kind, FailureKind::kCanaryFailed);
}

}  // namespace
}  // namespace holdfast
