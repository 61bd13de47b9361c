#include "return_values.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>

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

TEST(ReturnValues, NoNameAndNoValueComesTwice) {
  std::set<std::string> names;
  std::set<CK_RV> values;
  for (const auto& row : returnValues()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_TRUE(values.insert(row.value).second) << row.name;
    EXPECT_STREQ(returnValue(row.value).name, row.name);
  }
}

TEST(ReturnValues, AnUnknownValueIsVendorDefined) {
  EXPECT_STREQ(returnValue(0x80000123).name, "CKR_VENDOR_DEFINED");
  EXPECT_STREQ(returnValue(0x7fff).name, "CKR_VENDOR_DEFINED");
}

TEST(ReturnValues, AMessageNamesOnlyCodesThatAStandardNames) {
  EXPECT_STREQ(nameOf(CKR_PIN_INCORRECT), "CKR_PIN_INCORRECT");
  EXPECT_STREQ(nameOf(0x80000123), "CKR_VENDOR_DEFINED");
  EXPECT_STREQ(nameOf(0x7fff), "unknown return value");
}

TEST(ReturnValues, CodesOfVersion3HaveTheirNames) {
  const std::map<CK_RV, std::string> names{{0x42, "CKR_AEAD_DECRYPT_FAILED"},
                                           {0x1b5, "CKR_EXCEEDED_MAX_ITERATIONS"},
                                           {0x1b6, "CKR_FIPS_SELF_TEST_FAILED"},
                                           {0x1b7, "CKR_LIBRARY_LOAD_FAILED"},
                                           {0x1b8, "CKR_PIN_TOO_WEAK"},
                                           {0x1b9, "CKR_PUBLIC_KEY_INVALID"},
                                           {0x201, "CKR_TOKEN_RESOURCE_EXCEEDED"},
                                           {0x202, "CKR_OPERATION_CANCEL_FAILED"},
                                           {0x203, "CKR_KEY_EXHAUSTED"},
                                           {0x204, "CKR_PENDING"},
                                           {0x205, "CKR_SESSION_ASYNC_NOT_SUPPORTED"},
                                           {0x206, "CKR_SEED_RANDOM_REQUIRED"},
                                           {0x207, "CKR_OPERATION_NOT_VALIDATED"},
                                           {0x208, "CKR_TOKEN_NOT_INITIALIZED"},
                                           {0x209, "CKR_PARAMETER_SET_NOT_SUPPORTED"}};
  for (const auto& [value, name] : names) EXPECT_EQ(nameOf(value), name);
}

TEST(ReturnValues, OnlyEncryptedDataCodesBlameTheCiphertext) {
  for (const auto& row : returnValues()) {
    if (std::string(row.code) != "INVALID_CIPHERTEXT") continue;
    EXPECT_FALSE(row.countsAgainstBreaker) << row.name;
  }
}

TEST(ReturnValues, WhatPoisonsAMemberCountsAgainstIt) {
  for (const auto& row : returnValues()) {
    EXPECT_TRUE(!row.poisonsMember || row.countsAgainstBreaker) << row.name;
  }
}

}  // namespace
}  // namespace holdfast
