/// \file A logged-in session on a token. It shares no code with the addon, so its view is a second opinion.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#define CRYPTOKI_COMPAT 1
#include "pkcs11.h"

namespace reader {

/// A PKCS#11 function that did not answer CKR_OK.
struct Refused : std::runtime_error {
  Refused(const std::string& function, CK_RV answer);
  CK_RV rv;
};

void check(const char* function, CK_RV rv);

class Session {
 public:
  /// Loads the module, finds the token by its label, and logs in as CKU_USER if a PIN is given.
  Session(const char* library, const std::string& label, const std::string& pin);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  CK_FUNCTION_LIST& functions() const { return *functions_; }
  CK_SESSION_HANDLE handle() const { return handle_; }
  CK_FLAGS tokenFlags() const;

  /// Every object, or those that match.
  std::vector<CK_OBJECT_HANDLE> find(std::vector<CK_ATTRIBUTE> wanted = {}) const;
  std::vector<CK_OBJECT_HANDLE> findSecretKeys(std::string id) const;

 private:
  CK_SLOT_ID slotOf(const std::string& label) const;

  CK_FUNCTION_LIST* functions_ = nullptr;
  CK_SLOT_ID slot_ = 0;
  CK_SESSION_HANDLE handle_ = CK_INVALID_HANDLE;
};

}  // namespace reader
