/// \file A session in which a ceremony has logged in (PKCS#11 v2.40 §5.6 C_Login).
#pragma once

#include "secret.h"
#include "session.h"
#include "token.h"

namespace holdfast {

/// Who makes the cluster keys of a member: the `ceremony` of its vendor profile.
enum class KeyMaker : uint8_t {
  /// The security officer, as trusted keys: `so-made`.
  kOfficer,
  /// The user, as trusted keys: for tokens that let any user make such, so `trust: unenforced` only.
  kUser,
  /// The user, as keys that an officer then marks as trusted: `user-made-then-marked`.
  kUserThenOfficer,
};

/// Logs in once, in its constructor. The login ends with the session, which is the token's only one (§5.6
/// C_CloseSession), and with it all session objects. For ceremonies: no serving process has the officer's
/// PIN.
class CeremonySession {
 public:
  /// Calls C_Login once, and not at all if the token says that the PIN is locked or that one try is left:
  /// a token whose officer is locked out can only be erased. Throws `bad-output` if the session does not say
  /// afterwards that this maker is logged in. The token outlives this.
  CeremonySession(const Token& token, const Secret& pin, KeyMaker maker = KeyMaker::kOfficer);

  [[nodiscard]] Session& session() { return session_; }

  /// Throws unless the token answers and the maker is logged in. Until then "0 objects found" means nothing
  /// (invariant 4).
  void proveAlive();

 private:
  const Token& token_;
  const bool isOfficer_;
  Session session_;
};

}  // namespace holdfast
