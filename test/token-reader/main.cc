/// \file token-reader <library> <token label> <command> …; stdin is the PIN, one line (empty: no login).
///
///     flags                          CK_TOKEN_INFO.flags
///     list                           every object with its attributes
///     plant <id> <label> <value>     C_CreateObject of an AES key; all three in hex
///     generate <id> <label>          C_GenerateKey of an AES key
///     destroy <id>                   every secret key with this CKA_ID
///     change <id> <name> true|false  C_SetAttributeValue on every one; the last answer
///     copy <id> <name> true|false    C_CopyObject of every one; the last answer
///
/// Prints one line of JSON. If no session can be opened, exits with 1 and a line on stderr.
#include <iostream>
#include <span>

#include "object.h"

namespace {

using reader::Session;
using Arguments = std::span<char* const>;

std::string fromHex(const std::string& text) {
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

std::string rvJson(CK_RV rv) { return "{\"rv\":" + std::to_string(rv) + '}'; }

std::string list(const Session& session) {
  std::string json = "[";
  for (const auto object : session.find()) {
    if (json.size() > 1) json += ',';
    json += describeObject(session, object);
  }
  return json + ']';
}

/// Does `work` on every secret key with this id. @returns the last answer
template <typename Work>
std::string onEach(const Session& session, const std::string& id, Work work) {
  CK_RV rv = CKR_OBJECT_HANDLE_INVALID;
  for (const auto object : session.findSecretKeys(id)) rv = work(object);
  return rvJson(rv);
}

std::string perform(const Session& session, const std::string& command, Arguments arguments) {
  const auto text = [arguments](size_t index) { return std::string(arguments[index]); };
  if (command == "flags") return "{\"flags\":" + std::to_string(session.tokenFlags()) + '}';
  if (command == "list") return list(session);
  const std::string id = arguments.empty() ? "" : fromHex(text(0));
  if (command == "plant" && arguments.size() == 3) {
    return rvJson(plantKey(session, id, fromHex(text(1)), fromHex(text(2))));
  }
  if (command == "generate" && arguments.size() == 2)
    return rvJson(generateKey(session, id, fromHex(text(1))));
  if (command == "destroy" && arguments.size() == 1) {
    return onEach(session, id, [&session](CK_OBJECT_HANDLE object) {
      return session.functions().C_DestroyObject(session.handle(), object);
    });
  }
  if (command == "change" && arguments.size() == 3) {
    return onEach(session, id, [&session, &text](CK_OBJECT_HANDLE object) {
      return changeFlag(session, object, text(1), text(2) == "true");
    });
  }
  if (command == "copy" && arguments.size() == 3) {
    return onEach(session, id, [&session, &text](CK_OBJECT_HANDLE object) {
      return copyWithFlag(session, object, text(1), text(2) == "true");
    });
  }
  throw std::runtime_error("unknown command");
}

}  // namespace

int main(int count, char** values) {
  const Arguments arguments(values, static_cast<size_t>(count));
  try {
    if (arguments.size() < 4) throw std::runtime_error("see the top of main.cc");
    std::string pin;
    std::getline(std::cin, pin);
    const Session session(arguments[1], arguments[2], pin);
    std::cout << perform(session, arguments[3], arguments.subspan(4)) << '\n';
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
