/// \file A key-extraction suite: tries to get keys out of a PKCS#11 token, as the holder of the user PIN and
/// without a PIN, by every attack of `attack_list.cc`. See docs/extraction.md.
///
/// JSON on stdout, a table on stderr. Exit code: 0 if every attack failed, 1 if one succeeded, 2 if they
/// could not be run. Recovered bytes are compared here and never printed.
#include <algorithm>
#include <iostream>

#include "report.h"

int main(int count, char** values) {
  try {
    const auto arguments = extraction::parseArguments({values + 1, values + count});
    if (arguments.lists) {
      extraction::writeLists(std::cout);
      return 0;
    }
    extraction::Pins pins;
    std::getline(std::cin, pins.user);
    std::getline(std::cin, pins.officer);
    const auto rows = extraction::attackToken(arguments, pins);
    extraction::writeJson(std::cout, arguments, rows);
    extraction::writeTable(std::cerr, rows);
    return std::any_of(rows.begin(), rows.end(), [](const auto& row) { return row.succeeded; }) ? 1 : 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}
