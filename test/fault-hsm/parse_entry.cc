#include <cstdlib>
#include <map>
#include <sstream>

#include "device.h"
#include "script.h"

namespace faulthsm {
namespace {

std::optional<uint64_t> numberIn(const std::string& text) {
  char* end = nullptr;
  const uint64_t value = std::strtoull(text.c_str(), &end, 0);
  return text.empty() || *end != '\0' ? std::nullopt : std::optional(value);
}

std::optional<uint64_t> removalIn(const std::string& text) {
  static const std::map<std::string, Removal> kinds{{"device-removed", Removal::kDeviceRemoved},
                                                    {"device-error", Removal::kDeviceError},
                                                    {"softhsm", Removal::kSoftHsm},
                                                    {"not-initialized", Removal::kNotInitialized}};
  const auto known = kinds.find(text);
  return known == kinds.end() ? std::nullopt : std::optional(static_cast<uint64_t>(known->second));
}

enum class Operand { kNone, kMaybe, kNumber, kDelay, kRemoval };

struct Word {
  Action action;
  Operand operand;
};

const std::map<std::string, Word>& actionWords() {
  static const std::map<std::string, Word> words{{"rv", {Action::kAnswer, Operand::kNumber}},
                                                 {"leave-open", {Action::kLeaveOpen, Operand::kNumber}},
                                                 {"delay", {Action::kDelay, Operand::kDelay}},
                                                 {"hang", {Action::kHang, Operand::kMaybe}},
                                                 {"flags", {Action::kTokenFlags, Operand::kNumber}},
                                                 {"flip", {Action::kFlip, Operand::kNone}},
                                                 {"short", {Action::kShort, Operand::kMaybe}},
                                                 {"long", {Action::kLong, Operand::kMaybe}},
                                                 {"huge", {Action::kHuge, Operand::kNone}},
                                                 {"zero", {Action::kZero, Operand::kNone}},
                                                 {"repeat", {Action::kRepeat, Operand::kMaybe}},
                                                 {"endless", {Action::kEndless, Operand::kNone}},
                                                 {"grow", {Action::kGrow, Operand::kNone}},
                                                 {"pretend", {Action::kPretend, Operand::kNone}},
                                                 {"garbage", {Action::kGarbage, Operand::kNone}},
                                                 {"unavailable", {Action::kUnavailable, Operand::kNone}},
                                                 {"echo", {Action::kEcho, Operand::kMaybe}},
                                                 {"no-tag", {Action::kNoTag, Operand::kNone}},
                                                 {"no-context", {Action::kNoContext, Operand::kNone}},
                                                 {"previous", {Action::kPrevious, Operand::kNone}},
                                                 {"rotate", {Action::kRotate, Operand::kNone}},
                                                 {"headless", {Action::kHeadless, Operand::kNone}},
                                                 {"tag-first", {Action::kTagFirst, Operand::kNone}},
                                                 {"limit", {Action::kLimit, Operand::kNumber}},
                                                 {"wrong-handle", {Action::kWrongHandle, Operand::kNone}},
                                                 {"no-objects", {Action::kNoObjects, Operand::kNone}},
                                                 {"few", {Action::kFew, Operand::kNumber}},
                                                 {"stale-handle", {Action::kStaleHandle, Operand::kNone}},
                                                 {"remove", {Action::kRemove, Operand::kRemoval}},
                                                 {"lose-sessions", {Action::kLoseSessions, Operand::kMaybe}},
                                                 {"lose-login", {Action::kLoseLogin, Operand::kNone}},
                                                 {"renumber", {Action::kRenumber, Operand::kNone}},
                                                 {"die", {Action::kDie, Operand::kMaybe}},
                                                 {"die-after", {Action::kDieAfter, Operand::kNone}}};
  return words;
}

bool readOperand(std::istream& words, Operand operand, Entry& entry) {
  if (operand == Operand::kNone) return true;
  if (operand == Operand::kDelay) return bool(entry.delay = Delay::read(words));
  std::string text;
  if (!(words >> text)) return operand == Operand::kMaybe;
  entry.value = operand == Operand::kRemoval ? removalIn(text) : numberIn(text);
  return entry.value.has_value();
}

/// The bytes of an even number of hex digits.
std::optional<std::string> readKey(std::istream& words) {
  std::string digits;
  words >> digits;
  const bool isHex = digits.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
  if (digits.empty() || digits.size() % 2 != 0 || !isHex) return std::nullopt;
  std::string id;
  for (size_t at = 0; at < digits.size(); at += 2)
    id.push_back(static_cast<char>(std::stoi(digits.substr(at, 2), nullptr, 16)));
  return id;
}

/// Reads `after N`, `times N`, `chance P`, `seed N` and `key HEX`. @returns the action's word after them
std::optional<std::string> readModifiers(std::istream& words, Entry& entry) {
  std::string word;
  while (words >> word) {
    if (word == "after") {
      words >> entry.after;
    } else if (word == "times") {
      words >> entry.times.emplace();
    } else if (word == "chance") {
      words >> entry.chance;
    } else if (word == "seed") {
      words >> entry.seed;
    } else if (word == "key") {
      if (!(entry.key = readKey(words))) return std::nullopt;
    } else {
      return word;
    }
  }
  return std::nullopt;
}

bool isFunction(const std::string& name) {
  for (const auto& function : kFunctions)
    if (function.name == name) return true;
  return name == "*";
}

bool readAction(std::istream& words, Entry& entry) {
  const auto word = readModifiers(words, entry);
  const auto known = actionWords().find(word.value_or(""));
  if (known == actionWords().end()) return false;
  entry.action = known->second.action;
  return readOperand(words, known->second.operand, entry);
}

/// Reads `latency <function> [seed N] <time>`.
bool readLatency(std::istream& words, Entry& entry) {
  entry.action = Action::kDelay;
  if (!(words >> entry.function)) return false;
  const auto start = words.tellg();
  std::string word;
  if (words >> word && word == "seed") {
    words >> entry.seed;
  } else {
    words.clear();
    words.seekg(start);
  }
  return bool(entry.delay = Delay::read(words));
}

}  // namespace

std::optional<Entry> parseEntry(const std::string& line) {
  std::istringstream words(line);
  Entry entry;
  words >> entry.function;
  const bool understood = entry.function == "latency" ? readLatency(words, entry) : readAction(words, entry);
  std::string rest;
  if (!understood || !isFunction(entry.function) || words >> rest) return std::nullopt;
  return entry;
}

}  // namespace faulthsm
