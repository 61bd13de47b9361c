#include "token_info.h"

#include "failure.h"

namespace holdfast {
namespace {

std::optional<CK_ULONG> limitOf(CK_ULONG count) {
  const bool unlimited = count == CK_EFFECTIVELY_INFINITE || count == CK_UNAVAILABLE_INFORMATION;
  return unlimited ? std::nullopt : std::optional<CK_ULONG>(count);
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
  info.slot = slot;
  info.label = textOf(raw.label);
  info.serialNumber = textOf(raw.serialNumber);
  info.manufacturer = textOf(raw.manufacturerID);
  info.model = textOf(raw.model);
  info.firmwareVersion =
      std::to_string(raw.firmwareVersion.major) + "." + std::to_string(raw.firmwareVersion.minor);
  info.flags = raw.flags;
  info.maxSessionCount = limitOf(raw.ulMaxSessionCount);
  info.mechanisms = mechanismsOf(functions, slot);
  return info;
}

}  // namespace holdfast
