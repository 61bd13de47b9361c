#include "report.h"

#include <iomanip>
#include <ostream>
#include <sstream>

#include "preparation.h"

namespace extraction {
namespace {

/// A member of a JSON object. All texts here are ours: names without quotes or control characters.
struct Quoted {
  std::string_view text;
};

std::ostream& operator<<(std::ostream& stream, const Quoted& quoted) {
  return stream << '"' << quoted.text << '"';
}

std::string hexOf(CK_RV rv) {
  std::ostringstream text;
  text << "0x" << std::hex << std::uppercase << rv;
  return text.str();
}

/// A JSON array; `write` writes one element.
template <typename List, typename Write>
void writeList(std::ostream& stream, const List& list, Write write) {
  const char* separator = "[";
  for (const auto& each : list) {
    stream << separator;
    write(each);
    separator = ",";
  }
  stream << (list.empty() ? "[]" : "]");
}

void writeRow(std::ostream& stream, const Row& row) {
  stream << "{\"attack\":" << Quoted{row.attack} << ",\"who\":" << Quoted{row.who}
         << ",\"key\":" << Quoted{row.key} << ",\"outcome\":" << Quoted{row.outcome}
         << ",\"succeeded\":" << (row.succeeded ? "true" : "false");
  if (row.rv) stream << ",\"function\":" << Quoted{row.function} << ",\"rv\":" << Quoted{hexOf(*row.rv)};
  stream << '}';
}

}  // namespace

void writeJson(std::ostream& stream, const Arguments& arguments, const std::vector<Row>& rows) {
  const auto writeName = [&stream](const std::string& name) { stream << Quoted{name}; };
  stream << "{\"without\":";
  writeList(stream, arguments.without, writeName);
  stream << ",\"results\":";
  writeList(stream, rows, [&stream](const Row& row) { writeRow(stream, row); });
  stream << "}\n";
}

void writeLists(std::ostream& stream) {
  stream << "{\"attacks\":";
  writeList(stream, allAttacks(), [&stream](const Attack& attack) {
    stream << "{\"name\":" << Quoted{attack.name} << ",\"about\":" << Quoted{attack.about} << '}';
  });
  stream << ",\"attributes\":";
  writeList(stream, switches(), [&stream](const std::string& name) { stream << Quoted{name}; });
  stream << "}\n";
}

void writeTable(std::ostream& stream, const std::vector<Row>& rows) {
  for (const auto& row : rows) {
    stream << std::left << std::setw(11) << (row.succeeded ? "SUCCEEDED" : "failed") << std::setw(8)
           << row.who << std::setw(16) << row.key << std::setw(34) << row.attack << row.outcome;
    if (row.rv) stream << ' ' << row.function << ' ' << hexOf(*row.rv);
    stream << '\n';
  }
}

}  // namespace extraction
