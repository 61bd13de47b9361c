#include "session.h"

#include "failure.h"
#include "token.h"

namespace holdfast {

Session::Session(const Token& token) : functions_(token.functions()) {
  constexpr CK_FLAGS flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
  check("C_OpenSession", functions_.C_OpenSession(token.slot(), flags, nullptr, nullptr, &handle_));
}

Session::~Session() { functions_.C_CloseSession(handle_); }

}  // namespace holdfast
