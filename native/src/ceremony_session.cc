#include "ceremony_session.h"

#include "failure.h"

namespace holdfast {
namespace {

void requireTriesLeft(const Token& token, bool isOfficer) {
  const CK_FLAGS noTryToWaste =
      isOfficer ? CKF_SO_PIN_FINAL_TRY | CKF_SO_PIN_LOCKED : CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED;
  if ((token.info().flags & noTryToWaste) == 0) return;
  Failure locked = rvFailure(Function::C_Login, CKR_PIN_LOCKED);
  locked.detail = isOfficer ? "the security officer's PIN is locked, or one try is left: it was not tried"
                            : "the user's PIN is locked, or one try is left: it was not tried";
  throw Failure(locked);
}

}  // namespace

CeremonySession::CeremonySession(const Token& token, const Secret& pin, KeyMaker maker)
    : token_(token), isOfficer_(maker == KeyMaker::kOfficer), session_(token) {
  requireTriesLeft(token, isOfficer_);
  const CK_USER_TYPE user = isOfficer_ ? CKU_SO : CKU_USER;
  check(Function::C_Login,
        session_.functions().C_Login(session_.handle(), user, pointerFor(pin.view()), pin.size()));
  proveAlive();
}

void CeremonySession::proveAlive() {
  if (!token_.isInItsSlot()) throw rvFailure(Function::C_GetTokenInfo, CKR_DEVICE_REMOVED);
  CK_SESSION_INFO info{};
  check(Function::C_GetSessionInfo, session_.functions().C_GetSessionInfo(session_.handle(), &info));
  if (info.slotID != token_.slot() ||
      info.state != (isOfficer_ ? CKS_RW_SO_FUNCTIONS : CKS_RW_USER_FUNCTIONS))
    throw badOutput(Function::C_GetSessionInfo, "the maker of the keys is not logged in");
}

}  // namespace holdfast
