/// \file One PKCS#11 session (v2.40 §5.6).
#pragma once

#include <memory>

#include "call_time.h"
#include "cryptoki.h"

namespace holdfast {

class Token;

/// Opened in the constructor, closed in the destructor; used by one thread at a time.
class Session {
 public:
  /// Serial and read-write: lanes also generate and destroy keys.
  explicit Session(const Token& token);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  CK_SESSION_HANDLE handle() const { return handle_; }
  CK_FUNCTION_LIST& functions() const {
    CallTime::note();
    return functions_;
  }

 private:
  const Token& token_;
  CK_FUNCTION_LIST& functions_;
  CK_SESSION_HANDLE handle_ = CK_INVALID_HANDLE;
};

}  // namespace holdfast
