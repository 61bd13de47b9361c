#include "token_info.h"

#include "failure.h"

namespace holdfast {
namespace {

std::optional<CK_ULONG> limitOf(CK_ULONG count) {
  const bool unlimited = count == CK_EFFECTIVELY_INFINITE || count == CK_UNAVAILABLE_INFORMATION;
  return unlimited ? std::nullopt : std::optional<CK_ULONG>(count);
}

/// A count, for which 0 is a number like any other.
std::optional<CK_ULONG> countOf(CK_ULONG count) {
  return count == CK_UNAVAILABLE_INFORMATION ? std::nullopt : std::optional<CK_ULONG>(count);
}

std::string versionOf(const CK_VERSION& version) {
  return std::to_string(version.major) + "." + std::to_string(version.minor);
}

/// Only to recognise the vendor: a module that does not tell is none that we know.
void readLibraryInfo(CK_FUNCTION_LIST& functions, TokenInfo& info) {
  CK_INFO raw{};
  if (functions.C_GetInfo(&raw) != CKR_OK) return;
  info.libraryManufacturer = textOf(raw.manufacturerID);
  info.libraryDescription = textOf(raw.libraryDescription);
  info.libraryVersion = versionOf(raw.libraryVersion);
}

std::vector<CK_MECHANISM_TYPE> mechanismsOf(CK_FUNCTION_LIST& functions, CK_SLOT_ID slot) {
  CK_ULONG count = 0;
  check("C_GetMechanismList", functions.C_GetMechanismList(slot, nullptr, &count));
  std::vector<CK_MECHANISM_TYPE> mechanisms(count);
  check("C_GetMechanismList", functions.C_GetMechanismList(slot, mechanisms.data(), &count));
  mechanisms.resize(count);
  return mechanisms;
}

}  // namespace

std::string trimmed(const unsigned char* field, size_t size) {
  while (size > 0 && (field[size - 1] == ' ' || field[size - 1] == '\0')) --size;
  return {reinterpret_cast<const char*>(field), size};
}

std::vector<CK_SLOT_ID> slotsWithToken(CK_FUNCTION_LIST& functions) {
  CK_ULONG count = 0;
  check("C_GetSlotList", functions.C_GetSlotList(CK_TRUE, nullptr, &count));
  std::vector<CK_SLOT_ID> slots(count);
  check("C_GetSlotList", functions.C_GetSlotList(CK_TRUE, slots.data(), &count));
  slots.resize(count);
  return slots;
}

TokenInfo readTokenInfo(CK_FUNCTION_LIST& functions, CK_SLOT_ID slot) {
  CK_TOKEN_INFO raw{};
  check("C_GetTokenInfo", functions.C_GetTokenInfo(slot, &raw));
  TokenInfo info;
  readLibraryInfo(functions, info);
  info.slot = slot;
  info.label = textOf(raw.label);
  info.serialNumber = textOf(raw.serialNumber);
  info.manufacturer = textOf(raw.manufacturerID);
  info.model = textOf(raw.model);
  info.firmwareVersion = versionOf(raw.firmwareVersion);
  info.flags = raw.flags;
  info.maxSessionCount = limitOf(raw.ulMaxSessionCount);
  info.maxRwSessionCount = limitOf(raw.ulMaxRwSessionCount);
  info.sessionCount = countOf(raw.ulSessionCount);
  info.rwSessionCount = countOf(raw.ulRwSessionCount);
  info.mechanisms = mechanismsOf(functions, slot);
  return info;
}

}  // namespace holdfast
