#include "session.h"

#include "token.h"

namespace holdfast {

Session::Session(const Token& token) : token_(token), functions_(token.functions()) { open(); }

Session::~Session() { close(); }

void Session::open() {
  constexpr CK_FLAGS flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
  CK_SESSION_HANDLE opened = CK_INVALID_HANDLE;
  check(Function::C_OpenSession, functions_.C_OpenSession(token_.slot(), flags, nullptr, nullptr, &opened));
  if (opened == CK_INVALID_HANDLE) throw badOutput(Function::C_OpenSession, "the session has no handle");
  // Not closed: another lane's session has this number too, and may be inside a call.
  if (!token_.noteSession(opened)) throw rvFailure(Function::C_OpenSession, CKR_DEVICE_REMOVED);
  handle_ = opened;
}

void Session::close() {
  if (handle_ == CK_INVALID_HANDLE) return;
  // Forgotten before it is closed: afterwards the token may give its number to another session.
  token_.forgetSession(handle_);
  functions_.C_CloseSession(handle_);
  handle_ = CK_INVALID_HANDLE;
}

void Session::renew() {
  ++renewals_;
  close();
  open();
}

}  // namespace holdfast
