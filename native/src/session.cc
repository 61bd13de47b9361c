#include "session.h"

#include "failure.h"
#include "token.h"

namespace holdfast {

Session::Session(const Token& token) : token_(token), functions_(token.functions()) {
  constexpr CK_FLAGS flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
  check("C_OpenSession", functions_.C_OpenSession(token.slot(), flags, nullptr, nullptr, &handle_));
  if (handle_ == CK_INVALID_HANDLE) throw badOutput("C_OpenSession", "the session has no handle");
  // Not closed: the number is also another lane's, who may be inside a call with it.
  if (!token.noteSession(handle_)) throw rvFailure("C_OpenSession", CKR_DEVICE_REMOVED);
}

Session::~Session() {
  // Before it is closed: from then on the token may give its number to another.
  token_.forgetSession(handle_);
  functions_.C_CloseSession(handle_);
}

}  // namespace holdfast
