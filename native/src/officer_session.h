/// \file A session in which the security officer is logged in (PKCS#11 v2.40 §5.6 C_Login, CKU_SO).
#pragma once

#include "secret.h"
#include "session.h"
#include "token.h"

namespace holdfast {

/// Logs in once, in its constructor. The login ends with the session, which is the token's only one (§5.6
/// C_CloseSession), and with it all session objects. For ceremonies: no serving process has the officer's
/// PIN.
class OfficerSession {
 public:
  /// Calls C_Login once, and not at all if the token says that the PIN is locked or that one try is left:
  /// a token whose officer is locked out can only be erased. Throws `bad-output` if the session does not say
  /// afterwards that the officer is logged in. The token outlives this.
  OfficerSession(const Token& token, const Secret& pin);

  [[nodiscard]] Session& session() { return session_; }

  /// Throws unless the token answers and the officer is logged in. Until then "0 objects found" means nothing
  /// (invariant 4).
  void proveAlive();

 private:
  const Token& token_;
  Session session_;
};

}  // namespace holdfast
