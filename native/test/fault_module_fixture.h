/// \file The fault-injecting module by itself, called through its list of functions.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core_fixture.h"
#include "module.h"

namespace holdfast {

/// One instance of the module in front of a token of its own, from C_Initialize to C_Finalize.
class FaultyHsm {
 public:
  explicit FaultyHsm(const TestToken& token);

  CK_FUNCTION_LIST& call() const { return module_->functions(); }
  /// Calls C_Finalize, then C_Initialize.
  void restart();

  /// The only token's slot; throws if there is none.
  CK_SLOT_ID slot() const;
  CK_SESSION_HANDLE open(CK_FLAGS flags = CKF_RW_SESSION) const;
  CK_RV login(CK_SESSION_HANDLE session, const std::string& pin = TestToken::kPin) const;
  CK_SESSION_HANDLE openLoggedIn() const;
  /// Makes a token key with this CKA_ID.
  CK_OBJECT_HANDLE makeKey(CK_SESSION_HANDLE session, const std::string& id) const;
  std::vector<CK_OBJECT_HANDLE> find(CK_SESSION_HANDLE session, const std::string& id) const;
  /// The CKA_ID of the object that the handle names, or the error if it names none.
  std::string idOf(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object) const;
  /// Encrypts by AES-GCM with a fixed nonce.
  CK_RV encrypt(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, Bytes& output) const;
  CK_RV decrypt(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, const Bytes& input, Bytes& output) const;
  CK_RV random(CK_SESSION_HANDLE session) const;
  CK_TOKEN_INFO tokenInfo() const;

 private:
  const TestToken& token_;
  std::shared_ptr<Module> module_;
};

}  // namespace holdfast
