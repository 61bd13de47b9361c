#include "return_values.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>

#include "profile.h"

namespace holdfast {
namespace {

std::set<std::string> namesInHeader() {
  std::ifstream header(PKCS11_HEADER);
  const std::regex definition(R"(#define\s+(CKR_\w+)\s.*)");
  std::set<std::string> names;
  for (std::string line; std::getline(header, line);) {
    std::smatch match;
    if (std::regex_match(line, match, definition)) names.insert(match[1]);
  }
  return names;
}

TEST(ReturnValues, EveryNameOfTheHeaderHasARow) {
  std::set<std::string> rows;
  for (const auto& row : returnValues()) rows.insert(row.name);
  const auto names = namesInHeader();
  ASSERT_GT(names.size(), 90U);
  for (const auto& name : names) EXPECT_TRUE(rows.contains(name)) << name;
}

TEST(ReturnValues, NoNameAndNoValueTwice) {
  std::set<std::string> names;
  std::set<CK_RV> values;
  for (const auto& row : returnValues()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_TRUE(values.insert(row.value).second) << row.name;
    EXPECT_STREQ(returnValue(row.value).name, row.name);
  }
}

TEST(ReturnValues, WhatIsUnknownIsVendorDefined) {
  EXPECT_STREQ(returnValue(0x80000123).name, "CKR_VENDOR_DEFINED");
  EXPECT_STREQ(returnValue(0x7fff).name, "CKR_VENDOR_DEFINED");
}

TEST(ReturnValues, OnlyEncryptedDataIsACiphertextsFault) {
  for (const auto& row : returnValues()) {
    if (std::string(row.code) != "INVALID_CIPHERTEXT") continue;
    EXPECT_TRUE(Profile{}.maySpeakOfCiphertext(row.value)) << row.name;
    EXPECT_FALSE(row.speaksAboutHsm) << row.name;
  }
}

TEST(ReturnValues, WhatPoisonsAMemberSpeaksAboutIt) {
  for (const auto& row : returnValues()) {
    EXPECT_TRUE(!row.poisonsMember || row.speaksAboutHsm) << row.name;
  }
}

}  // namespace
}  // namespace holdfast
