#include <algorithm>
#include <string>

#include "forward.h"
#include "instance.h"
#include "lies.h"
#include "special.h"

namespace faulthsm {
namespace {

/// If the script says `pretend`, makes the entries look unwritten and returns true.
bool leftUnwritten(const std::optional<Decision>& decision, CK_ULONG* entries, CK_ULONG count) {
  if (!Lie(decision).is(Action::kPretend)) return false;
  std::fill_n(entries, count, CK_UNAVAILABLE_INFORMATION);
  return true;
}

CK_RV getSlotList(CK_BBOOL tokenPresent, CK_SLOT_ID* slots, CK_ULONG* count) {
  using Forwarded = FAULT_HSM_FORWARD(C_GetSlotList);
  return guarded(kC_GetSlotList, 0, [&](const auto& decision) -> CK_RV {
    if (tokenPresent != CK_FALSE && device().hidesTokens()) {
      *count = 0;
      return CKR_OK;
    }
    const CK_RV rv = Forwarded::forward({tokenPresent, slots, count}, decision);
    if (rv == CKR_OK && slots != nullptr && !leftUnwritten(decision, slots, *count)) {
      for (CK_ULONG i = 0; i < *count; ++i) slots[i] = device().shownSlot(slots[i]);
    }
    return Lie(decision).aboutList(rv, slots, *count);
  });
}

CK_RV getMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE* mechanisms, CK_ULONG* count) {
  using Forwarded = FAULT_HSM_FORWARD(C_GetMechanismList);
  return guarded(kC_GetMechanismList, slot, [&](const auto& decision) {
    const CK_RV rv = Forwarded::forward({slot, mechanisms, count}, decision);
    if (rv == CKR_OK && mechanisms != nullptr) leftUnwritten(decision, mechanisms, *count);
    return Lie(decision).aboutList(rv, mechanisms, *count);
  });
}

CK_RV getInfo(CK_INFO* info) {
  using Forwarded = FAULT_HSM_FORWARD(C_GetInfo);
  return guarded(kC_GetInfo, 0, [&](const auto& decision) {
    const CK_RV rv = Forwarded::forward({info}, decision);
    if (rv == CKR_OK) Lie(decision).aboutBytes(info, sizeof *info);
    return rv;
  });
}

/// Shows the serial number, padded with blanks as every text of a token is.
void showSerialNumber(CK_TOKEN_INFO& info) {
  const std::string number = instance().serialNumber();
  if (number.empty()) return;
  std::ranges::fill(info.serialNumber, ' ');
  std::ranges::copy(number.substr(0, sizeof info.serialNumber), info.serialNumber);
}

CK_RV getTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO* info) {
  using Forwarded = FAULT_HSM_FORWARD(C_GetTokenInfo);
  return guarded(kC_GetTokenInfo, slot, [&](const auto& decision) {
    const CK_RV rv = Forwarded::forward({slot, info}, decision);
    if (rv != CKR_OK) return rv;
    device().describe(*info);
    showSerialNumber(*info);
    Lie(decision).aboutBytes(info, sizeof *info);
    if (Lie(decision).is(Action::kFlip)) info->serialNumber[0] ^= 1;
    if (decision && decision->action == Action::kTokenFlags) info->flags |= decision->value.value_or(0);
    return rv;
  });
}

}  // namespace

void addTokenFunctions(CK_FUNCTION_LIST& list) {
  list.C_GetSlotList = getSlotList;
  list.C_GetMechanismList = getMechanismList;
  list.C_GetInfo = getInfo;
  list.C_GetTokenInfo = getTokenInfo;
}

}  // namespace faulthsm
