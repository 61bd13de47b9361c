/// \file One PKCS#11 session (v2.40 §5.6).
#pragma once

#include <cstdint>

#include "call_time.h"
#include "cryptoki.h"
#include "failure.h"
#include "return_values.h"

namespace holdfast {

class Token;

/// Opened in the constructor, closed in the destructor; used by one thread at a time.
class Session {
 public:
  /// Opens a serial, read-write session: lanes also generate and destroy keys.
  explicit Session(const Token& token);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  CK_SESSION_HANDLE handle() const { return handle_; }
  CK_FUNCTION_LIST& functions() const {
    CallTime::note();
    return functions_;
  }

  /// Calls a `C_…Init`. Some tokens leave an operation open in the session when they refuse a ciphertext.
  /// Then this closes the session, which ends the operation (§5.6.2), and makes the call in a new one.
  template <typename Call>
  void begin(Function function, const Call& call) {
    CK_RV rv = call(handle_);
    if (rv != CKR_OK && returnValue(rv).operationActive) {
      renew();
      rv = call(handle_);
    }
    check(function, rv);
  }

  /// How often `begin` has opened a new session: session objects do not survive that.
  uint64_t renewals() const { return renewals_; }

 private:
  void open();
  void close();
  void renew();

  const Token& token_;
  CK_FUNCTION_LIST& functions_;
  CK_SESSION_HANDLE handle_ = CK_INVALID_HANDLE;
  uint64_t renewals_ = 0;
};

}  // namespace holdfast
