/// \file The marks of generations, among objects that anyone can put on a token.
#include "generation_mark.h"

#include "ceremony_fixture.h"

namespace holdfast {
namespace {

const std::string kCluster = "cluster-test";
const Bytes kDigest(sizeof(Sha256), 0xd1);

/// A token with marks of generations 1 and 12.
class GenerationMark : public testing::Test {
 protected:
  GenerationMark() {
    writeMark(user_.session(), {kCluster, 12}, {digestOf(12)});
    writeMark(user_.session(), {kCluster, 1}, {digestOf(1)});
  }

  static Sha256 digestOf(uint8_t number) {
    Sha256 digest{};
    digest.fill(number);
    return digest;
  }

  /// An object that looks like a mark.
  void plant(const std::string& number, const Bytes& value) {
    ObjectTemplate mark;
    mark.number(CKA_CLASS, CKO_DATA).bytes(CKA_APPLICATION, bytesOf("holdfast/" + kCluster));
    mark.bytes(CKA_LABEL, bytesOf("holdfast/" + kCluster + "/" + number + "/complete"));
    mark.flags({CKA_TOKEN, CKA_PRIVATE}, false).bytes(CKA_VALUE, value);
    CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
    auto& session = user_.session();
    check(Function::C_CreateObject,
          session.functions().C_CreateObject(session.handle(), mark.data(), mark.size(), &made));
  }

  std::vector<uint32_t> numbers(const std::string& cluster = kCluster) {
    std::vector<uint32_t> numbers;
    for (const auto& one : readMarks(user_.session(), cluster)) numbers.push_back(one.number);
    return numbers;
  }

  const TestMembers members_{1};
  UserSession user_{members_.open()[0]};
};

TEST_F(GenerationMark, AClustersMarksAreReadInTheirOrder) {
  const auto marks = readMarks(user_.session(), kCluster);
  ASSERT_EQ(marks.size(), 2U);
  EXPECT_EQ(marks[0].number, 1U);
  EXPECT_EQ(marks[0].digest, digestOf(1));
  EXPECT_EQ(marks[1].number, 12U);
  EXPECT_EQ(marks[1].digest, digestOf(12));
  EXPECT_EQ(numbers("cluster-tes"), std::vector<uint32_t>());
}

/// On a token that keeps no data objects. A mark says whether trust is enforced, and two that differ count
/// for nothing.
TEST_F(GenerationMark, APublicKeyIsAMarkToo) {
  const std::string other = "cluster-other";
  writeMark(user_.session(), {other, 1}, {digestOf(1), true}, true);
  writeMark(user_.session(), {other, 2}, {digestOf(2), false}, true);
  const auto marks = readMarks(user_.session(), other);
  ASSERT_EQ(marks.size(), 2U);
  EXPECT_EQ(marks[0].digest, digestOf(1));
  EXPECT_TRUE(marks[0].enforced);
  EXPECT_EQ(marks[1].digest, digestOf(2));
  EXPECT_FALSE(marks[1].enforced);
  EXPECT_EQ(readMark(user_.session(), {other, 2}), (Mark{digestOf(2), false}));
  writeMark(user_.session(), {other, 1}, {digestOf(1), false}, true);
  EXPECT_EQ(numbers(other), std::vector<uint32_t>{2});
}

/// A digest begins like the padding, or ends like what follows it, once in 256 ceremonies.
TEST_F(GenerationMark, APublicKeyHoldsAnyDigest) {
  Sha256 digest = digestOf(1);
  digest.front() = 0xff;
  uint32_t number = 0;
  for (const int last : {0xff, 0x01, int{'e'}, int{'u'}}) {
    digest.back() = static_cast<uint8_t>(last);
    for (const bool enforced : {true, false}) {
      const Generation generation{"cluster-any", ++number};
      writeMark(user_.session(), generation, {digest, enforced}, true);
      EXPECT_EQ(readMark(user_.session(), generation), (Mark{digest, enforced}));
    }
  }
}

TEST_F(GenerationMark, WhatOnlyLooksLikeAMarkIsNone) {
  for (const char* const number : {"0", "01", "-1", "+2", "4294967296", "", "x", "2x", "2/3"})
    plant(number, kDigest);
  EXPECT_EQ(numbers(), (std::vector<uint32_t>{1, 12}));
  plant("7", kDigest);
  EXPECT_EQ(numbers(), (std::vector<uint32_t>{1, 7, 12}));
}

/// The other generations stay usable; a ceremony of this one fails.
TEST_F(GenerationMark, AMarkThatIsAmbiguousOrNoDigestCountsForNothing) {
  plant("12", kDigest);
  plant("3", bytesOf("short"));
  plant("4", Bytes(500, 0xd1));
  plant("5", Bytes(sizeof(Sha256) + 1, 0xd1));
  EXPECT_EQ(numbers(), std::vector<uint32_t>{1});
  for (const uint32_t number : {3, 4, 5, 12})
    EXPECT_THROW(static_cast<void>(readMark(user_.session(), {kCluster, number})), Failure) << number;
  plant("1", Bytes(sizeof(Sha256), 1));
  EXPECT_EQ(numbers(), std::vector<uint32_t>{1});
}

TEST_F(GenerationMark, TooManyMarksAreNotRead) {
  for (int i = 0; i < 256; ++i) plant("9", kDigest);
  EXPECT_THROW(static_cast<void>(readMarks(user_.session(), kCluster)), Failure);
}

}  // namespace
}  // namespace holdfast
