#include "token_info.h"

#include <algorithm>
#include <cstdio>
#include <set>

#include "failure.h"
#include "return_values.h"

namespace holdfast {
namespace {

std::optional<CK_ULONG> limitOf(CK_ULONG count) {
  const bool unlimited = count == CK_EFFECTIVELY_INFINITE || count == CK_UNAVAILABLE_INFORMATION;
  return unlimited ? std::nullopt : std::optional<CK_ULONG>(count);
}

/// Reads a count that may be 0.
std::optional<CK_ULONG> countOf(CK_ULONG count) {
  return count == CK_UNAVAILABLE_INFORMATION ? std::nullopt : std::optional<CK_ULONG>(count);
}

std::string versionOf(const CK_VERSION& version) {
  return std::to_string(version.major) + "." + std::to_string(version.minor);
}

/// Reads the names that serve only to recognise the vendor. A module that gives none counts as unknown.
void readLibraryInfo(CK_FUNCTION_LIST& functions, TokenInfo& info) {
  CK_INFO raw{};
  if (functions.C_GetInfo(&raw) != CKR_OK) return;
  info.libraryManufacturer = textOf(raw.manufacturerID);
  info.libraryDescription = textOf(raw.libraryDescription);
  info.libraryVersion = versionOf(raw.libraryVersion);
}

/// More slots or mechanisms than any module has.
constexpr CK_ULONG kLongestList = 16'384;
/// How often to read a list that grows between the two calls, as when a token is plugged in.
constexpr int kReadings = 5;

/// A list of CK_ULONGs: first its length, then its entries (§5.2, "Conventions for functions returning output
/// in a variable-length buffer"). `ask(entries, count)` makes the call. The list may grow or shrink between
/// the two.
template <typename Ask>
std::vector<CK_ULONG> readList(Function function, const Ask& ask) {
  for (int reading = 0; reading < kReadings; ++reading) {
    CK_ULONG count = 0;
    check(function, ask(nullptr, &count));
    if (count > kLongestList) throw badOutput(function, "the list is impossibly long");
    if (count == 0) return {};
    std::vector<CK_ULONG> entries(count, CK_UNAVAILABLE_INFORMATION);
    const CK_RV rv = ask(entries.data(), &count);
    if (returnValue(rv).bufferTooSmall) continue;
    check(function, rv);
    if (count > entries.size()) throw badOutput(function, "more entries than there was room for");
    entries.resize(count);
    if (std::ranges::find(entries, CK_UNAVAILABLE_INFORMATION) != entries.end())
      throw badOutput(function, "an entry was not written");
    return entries;
  }
  throw badOutput(function, "the list grew each time it was read");
}

std::vector<CK_MECHANISM_TYPE> mechanismsOf(CK_FUNCTION_LIST& functions, CK_SLOT_ID slot) {
  return readList(Function::C_GetMechanismList, [&](CK_MECHANISM_TYPE* entries, CK_ULONG* count) {
    return functions.C_GetMechanismList(slot, entries, count);
  });
}

bool isControl(unsigned char byte) { return byte < 0x20 || byte == 0x7f; }

/// Every token has some text, if only blanks (§3, CK_TOKEN_INFO).
bool isUnwritten(const CK_TOKEN_INFO& info) {
  return info.label[0] == '\0' && info.serialNumber[0] == '\0' && info.manufacturerID[0] == '\0' &&
         info.model[0] == '\0';
}

}  // namespace

std::string printable(const unsigned char* field, size_t size) {
  const auto* const end = std::find(field, field + size, '\0');
  std::string text;
  for (const auto* byte = field; byte != end; ++byte) {
    char escaped[5] = {static_cast<char>(*byte)};
    if (isControl(*byte)) static_cast<void>(std::snprintf(escaped, sizeof escaped, "\\x%02x", *byte));
    text += escaped;
  }
  return text.substr(0, text.find_last_not_of(' ') + 1);
}

std::vector<CK_SLOT_ID> slotsWithToken(CK_FUNCTION_LIST& functions) {
  auto slots = readList(Function::C_GetSlotList, [&](CK_SLOT_ID* entries, CK_ULONG* count) {
    return functions.C_GetSlotList(CK_TRUE, entries, count);
  });
  const std::set<CK_SLOT_ID> distinct(slots.begin(), slots.end());
  if (distinct.size() != slots.size())
    throw badOutput(Function::C_GetSlotList, "the list names one slot twice");
  return slots;
}

TokenInfo readTokenInfo(CK_FUNCTION_LIST& functions, CK_SLOT_ID slot) {
  CK_TOKEN_INFO raw{};
  check(Function::C_GetTokenInfo, functions.C_GetTokenInfo(slot, &raw));
  if (isUnwritten(raw)) throw badOutput(Function::C_GetTokenInfo, "nothing was written");
  TokenInfo info;
  readLibraryInfo(functions, info);
  info.slot = slot;
  info.label = textOf(raw.label);
  info.serialNumber = textOf(raw.serialNumber);
  info.manufacturer = textOf(raw.manufacturerID);
  info.model = textOf(raw.model);
  info.firmwareVersion = versionOf(raw.firmwareVersion);
  info.flags = raw.flags;
  info.minPinLength = countOf(raw.ulMinPinLen);
  info.maxPinLength = limitOf(raw.ulMaxPinLen);
  info.maxSessionCount = limitOf(raw.ulMaxSessionCount);
  info.maxRwSessionCount = limitOf(raw.ulMaxRwSessionCount);
  info.sessionCount = countOf(raw.ulSessionCount);
  info.rwSessionCount = countOf(raw.ulRwSessionCount);
  info.mechanisms = mechanismsOf(functions, slot);
  return info;
}

}  // namespace holdfast
