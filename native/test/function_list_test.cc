#include "function_list.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <regex>
#include <set>

#include "core_fixture.h"

namespace holdfast {
namespace {

constexpr size_t kFunctions =
    (sizeof(CK_FUNCTION_LIST) - offsetof(CK_FUNCTION_LIST, C_Initialize)) / sizeof(void*);

/// A list with every function but one.
CK_FUNCTION_LIST without(size_t missing) {
  CK_FUNCTION_LIST list{};
  std::array<void*, kFunctions> entries;
  entries.fill(&list);
  entries[missing] = nullptr;
  std::memcpy(&list.C_Initialize, entries.data(), sizeof entries);
  return list;
}

/// Every C_… that the core's sources call through a list of functions.
std::set<std::string> calledBySources() {
  std::set<std::string> names;
  const std::regex call(R"(functions_?(?:\(\))?\.(C_[A-Za-z]+)\()");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(CORE_SOURCES)) {
    if (entry.path().extension() != ".cc") continue;
    std::ifstream file(entry.path());
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    for (std::sregex_iterator match(text.begin(), text.end(), call), end; match != end; ++match)
      names.insert((*match)[1]);
  }
  return names;
}

TEST(FunctionList, EveryFunctionThatIsCalledMustBeThere) {
  auto called = calledBySources();
  // A module without it serves: only the program that changes a PIN calls it, and that asks for it.
  called.erase("C_SetPIN");
  std::set<std::string> required;
  for (size_t missing = 0; missing < kFunctions; ++missing) {
    try {
      requireFunctions(without(missing));
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.kind, FailureKind::kModule);
      required.insert(failure.detail.substr(failure.detail.find("C_")));
    }
  }
  EXPECT_GT(called.size(), 15U);
  EXPECT_EQ(required, called);
}

TEST(FunctionList, AModuleWithoutOneIsRefused) {
  try {
    static_cast<void>(Module::open({.libraryPath = NO_FUNCTION_LIST,
                                    .privateInstance = true,
                                    .environment = {},
                                    .initializationString = {}}));
    FAIL() << "a module without a list of functions was opened";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.kind, FailureKind::kModule);
    EXPECT_TRUE(failure.detail.ends_with("no-function-list.so: C_GetFunctionList gave no list of functions"))
        << failure.detail;
  }
}

TEST(FunctionList, AnErrorOfC_GetFunctionListNamesIt) {
  try {
    static_cast<void>(requireFunctionList(CKR_HOST_MEMORY, nullptr));
    FAIL() << "no failure";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.rv, CKR_HOST_MEMORY);
  }
}

}  // namespace
}  // namespace holdfast
