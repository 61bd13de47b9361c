/// \file The witnesses of a catalog, among objects that anyone with the PIN can put on a token.
#include "witness.h"

#include <algorithm>

#include "ceremony_fixture.h"
#include "witness_encoding.h"

namespace holdfast {
namespace {

const std::string kCluster = "cluster-test";

Witness witness(uint64_t epoch, uint8_t incarnation = 1) {
  Witness one{{}, epoch, 1'700'000'000'000, "aws:eu-central-1:111122223333"};
  one.incarnation.fill(incarnation);
  return one;
}

TEST(WitnessEncoding, GivesBackWhatWasWritten) {
  for (auto one : {witness(0), witness(kMaxEpoch), witness(0x0102030405, 0xff)}) {
    for (const size_t length : {size_t{0}, size_t{1}, kMaxDeploymentLength}) {
      one.deployment.assign(length, 'x');
      EXPECT_EQ(decodeWitness(encodeWitness(one)), one);
      EXPECT_EQ(witnessInModulus(witnessModulus(one)), one);
    }
  }
}

TEST(WitnessEncoding, TakesNothingElse) {
  const Bytes good = encodeWitness(witness(7));
  for (size_t length = 0; length < good.size(); ++length)
    EXPECT_EQ(decodeWitness(ByteView(good).first(length)), std::nullopt) << length;
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_EQ(decodeWitness(longer), std::nullopt);
  Bytes newer = good;
  newer.front() = 2;
  EXPECT_EQ(decodeWitness(newer), std::nullopt);
  EXPECT_EQ(decodeWitness(encodeWitness(witness(kMaxEpoch + 1))), std::nullopt);
  auto late = witness(1);
  late.writtenMs = kMaxEpoch + 1;
  EXPECT_EQ(decodeWitness(encodeWitness(late)), std::nullopt);
}

TEST(WitnessEncoding, AModulusIsWholeOrNone) {
  const Bytes good = witnessModulus(witness(7));
  ASSERT_EQ(good.size(), 256U);
  EXPECT_EQ(witnessInModulus(ByteView(good).first(255)), std::nullopt);
  EXPECT_EQ(witnessInModulus(Bytes(256, 0xff)), std::nullopt);
  for (const size_t place : {0U, 1U, 2U, 254U, 255U}) {
    Bytes spoiled = good;
    spoiled[place] ^= 0x10;
    EXPECT_EQ(witnessInModulus(spoiled), std::nullopt) << place;
  }
}

/// A member with one lane, and a session beside it that does what anyone with the PIN can do.
class WitnessOnToken : public testing::Test {
 protected:
  WitnessOnToken() : member_(pool_.connect(members_.token(0).faultyModule(), {1, 1})) {}

  void write(const Witness& one) {
    valueOf<std::monostate>(pool_.run(member_, makeWriteWitness(kCluster, one)));
  }
  std::vector<uint64_t> epochs(const std::string& cluster = kCluster) {
    std::vector<uint64_t> epochs;
    for (const auto& one : valueOf<std::vector<Witness>>(pool_.run(member_, makeReadWitnesses(cluster))))
      epochs.push_back(one.epoch);
    std::ranges::sort(epochs);
    return epochs;
  }
  void usePublicKeys() {
    auto profile = softHsmProfile();
    profile.marksArePublicKeys = true;
    pool_.pool().setProfile(member_, profile, 1);
    valueOf<MemberOpened>(pool_.reopen(member_));
    valueOf<uint64_t>(pool_.logIn(member_));
    pool_.admit(member_);
  }
  /// An object with the name of a witness.
  static void plant(UserSession& user, const Bytes& value, bool isPrivate = true) {
    ObjectTemplate object;
    object.number(CKA_CLASS, CKO_DATA).bytes(CKA_APPLICATION, bytesOf("holdfast-witness/" + kCluster));
    object.bytes(CKA_LABEL, bytesOf("holdfast/" + kCluster + "/witness")).flag(CKA_TOKEN, true);
    object.flag(CKA_PRIVATE, isPrivate).bytes(CKA_VALUE, value);
    CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
    check(Function::C_CreateObject, user.session().functions().C_CreateObject(
                                        user.session().handle(), object.data(), object.size(), &made));
  }
  /// Of a module instance of its own, as another program is.
  UserSession intruder() { return UserSession(members_.open()[0]); }

  const TestMembers members_{1};
  TestPool pool_;
  const int member_;
};

TEST_F(WitnessOnToken, ATokenHasOneWitness) {
  EXPECT_EQ(epochs(), std::vector<uint64_t>());
  for (const uint64_t epoch : {1, 2, 9}) write(witness(epoch));
  EXPECT_EQ(epochs(), std::vector<uint64_t>{9});
  EXPECT_EQ(epochs("cluster-tes"), std::vector<uint64_t>());
  const auto read = valueOf<std::vector<Witness>>(pool_.run(member_, makeReadWitnesses(kCluster)));
  EXPECT_EQ(read, std::vector<Witness>{witness(9)});
}

TEST_F(WitnessOnToken, APublicKeyIsAWitnessWhereThereAreNoDataObjects) {
  usePublicKeys();
  for (const uint64_t epoch : {1, 2, 9}) write(witness(epoch));
  EXPECT_EQ(epochs(), std::vector<uint64_t>{9});
}

/// Two processes write: the later epoch stays, whichever comes last. Another incarnation is replaced.
TEST_F(WitnessOnToken, ALaterEpochOfTheSameIncarnationStays) {
  write(witness(9));
  write(witness(8));
  EXPECT_EQ(epochs(), (std::vector<uint64_t>{8, 9}));
  write(witness(9));
  EXPECT_EQ(epochs(), std::vector<uint64_t>{9});
  write(witness(3, 2));
  EXPECT_EQ(epochs(), std::vector<uint64_t>{3});
}

TEST_F(WitnessOnToken, GarbageCountsForNothingAndIsRemoved) {
  auto user = intruder();
  write(witness(5));
  for (const auto& value : {Bytes{}, bytesOf("short"), Bytes(511, 1), Bytes(4'000, 1)}) plant(user, value);
  EXPECT_EQ(epochs(), std::vector<uint64_t>{5});
  write(witness(6));
  EXPECT_EQ(epochs(), std::vector<uint64_t>{6});
  EXPECT_EQ(user.objects(), 1U);
}

/// It takes no PIN to make one.
TEST_F(WitnessOnToken, APublicObjectIsNoWitness) {
  auto user = intruder();
  plant(user, encodeWitness(witness(1'000)), false);
  write(witness(5));
  EXPECT_EQ(epochs(), std::vector<uint64_t>{5});
}

TEST_F(WitnessOnToken, APlantedPileIsWornDown) {
  auto user = intruder();
  for (size_t i = 0; i < 3 * kMaxWitnesses; ++i) plant(user, bytesOf("planted"));
  EXPECT_LE(epochs().size(), kMaxWitnesses);
  for (uint64_t epoch = 1; epoch < 5; ++epoch) write(witness(epoch));
  EXPECT_EQ(epochs(), std::vector<uint64_t>{4});
}

/// As if the process had been killed between the two halves.
TEST_F(WitnessOnToken, ABrokenReplacementLeavesBoth) {
  write(witness(5));
  members_.token(0).obey("C_DestroyObject rv 0x5");
  EXPECT_EQ(failureOf(pool_.run(member_, makeWriteWitness(kCluster, witness(6)))).rv, CKR_GENERAL_ERROR);
  members_.heal();
  EXPECT_EQ(epochs(), (std::vector<uint64_t>{5, 6}));
  write(witness(7));
  EXPECT_EQ(epochs(), std::vector<uint64_t>{7});
}

TEST_F(WitnessOnToken, ADeadTokenHasNoMissingWitness) {
  members_.token(0).obey("C_GetSessionInfo rv 0x32");
  EXPECT_EQ(failureOf(pool_.run(member_, makeReadWitnesses(kCluster))).rv, CKR_DEVICE_REMOVED);
}

}  // namespace
}  // namespace holdfast
