#include "officer_session.h"

#include "failure.h"

namespace holdfast {
namespace {

constexpr CK_FLAGS kNoTryToWaste = CKF_SO_PIN_FINAL_TRY | CKF_SO_PIN_LOCKED;

void requireTriesLeft(const Token& token) {
  if ((token.info().flags & kNoTryToWaste) == 0) return;
  Failure locked = rvFailure(Function::C_Login, CKR_PIN_LOCKED);
  locked.detail = "the security officer's PIN is locked, or one try is left: it was not tried";
  throw Failure(locked);
}

}  // namespace

OfficerSession::OfficerSession(const Token& token, const Secret& pin) : token_(token), session_(token) {
  requireTriesLeft(token);
  auto& functions = session_.functions();
  check(Function::C_Login, functions.C_Login(session_.handle(), CKU_SO, pointerFor(pin.view()), pin.size()));
  proveAlive();
}

void OfficerSession::proveAlive() {
  if (!token_.isInItsSlot()) throw rvFailure(Function::C_GetTokenInfo, CKR_DEVICE_REMOVED);
  CK_SESSION_INFO info{};
  check(Function::C_GetSessionInfo, session_.functions().C_GetSessionInfo(session_.handle(), &info));
  if (info.slotID != token_.slot() || info.state != CKS_RW_SO_FUNCTIONS)
    throw badOutput(Function::C_GetSessionInfo, "the security officer is not logged in");
}

}  // namespace holdfast
