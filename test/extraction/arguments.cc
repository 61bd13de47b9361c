#include "arguments.h"

#include <functional>
#include <map>
#include <stdexcept>

namespace extraction {
namespace {

constexpr const char* kUsage =
    "usage: extraction --module LIBRARY --token LABEL [--initialization STRING] [--key-wrap NUMBER]\n"
    "         --key-id HEX …  [--allow-harm]\n"
    "       extraction --module LIBRARY --token LABEL --prepare [--user-made] [--without ATTRIBUTE …]\n"
    "         [--unsupported ATTRIBUTE …]\n"
    "       extraction --list\n"
    "stdin: the user PIN; with --prepare, on a second line, the security officer's PIN";

Bytes fromHex(const std::string& text) {
  Bytes bytes;
  if (text.empty() || text.size() % 2 != 0)
    throw std::runtime_error("--key-id takes an even number of hex digits");
  for (size_t i = 0; i < text.size(); i += 2) {
    bytes.push_back(static_cast<CK_BYTE>(std::stoul(text.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

}  // namespace

Arguments parseArguments(const std::vector<std::string>& words) {
  Arguments parsed;
  using Setter = std::function<void(const std::string&)>;
  const std::map<std::string, Setter> withValue{
      {"--module", [&](const std::string& value) { parsed.library = value; }},
      {"--token", [&](const std::string& value) { parsed.tokenLabel = value; }},
      {"--initialization", [&](const std::string& value) { parsed.initialization = value; }},
      {"--key-wrap", [&](const std::string& value) { parsed.keyWrap = std::stoul(value, nullptr, 0); }},
      {"--key-id", [&](const std::string& value) { parsed.keyIds.push_back(fromHex(value)); }},
      {"--unsupported", [&](const std::string& value) { parsed.unsupported.insert(value); }},
      {"--without", [&](const std::string& value) { parsed.without.insert(value); }},
  };
  const std::map<std::string, bool*> alone{{"--prepare", &parsed.prepares},
                                           {"--user-made", &parsed.isUserMade},
                                           {"--allow-harm", &parsed.allowsHarm},
                                           {"--list", &parsed.lists}};
  for (size_t i = 0; i < words.size(); ++i) {
    if (const auto flag = alone.find(words[i]); flag != alone.end()) {
      *flag->second = true;
    } else if (const auto option = withValue.find(words[i]);
               option != withValue.end() && i + 1 < words.size()) {
      option->second(words[++i]);
    } else {
      throw std::runtime_error(kUsage);
    }
  }
  const bool hasToken = !parsed.library.empty() && !parsed.tokenLabel.empty();
  const bool hasTargets = parsed.prepares != !parsed.keyIds.empty();
  if (!parsed.lists && !(hasToken && hasTargets)) throw std::runtime_error(kUsage);
  return parsed;
}

}  // namespace extraction
