/// \file A PKCS#11 client: every function that an attack calls, with the answer as an exception.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "mechanism.h"
#include "template.h"

namespace extraction {

/// A PKCS#11 function that did not answer CKR_OK: for an attack, a defence that held.
struct Refused : std::runtime_error {
  Refused(std::string functionName, CK_RV answer);
  std::string function;
  CK_RV rv;
};

/// From C_Initialize to C_Finalize: nothing of an earlier login is left.
class Module {
 public:
  /// \param initialization CK_C_INITIALIZE_ARGS.pReserved, for NSS; may be empty.
  Module(const std::string& library, const std::string& initialization);
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  ~Module();

  CK_FUNCTION_LIST& functions() const { return *functions_; }
  /// \throws std::runtime_error if no token has this label
  CK_SLOT_ID slotOf(const std::string& tokenLabel) const;

 private:
  CK_FUNCTION_LIST* functions_ = nullptr;
};

/// A read/write session. Its session objects end with it.
class Session {
 public:
  Session(const Module& module, CK_SLOT_ID slot);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  void login(CK_USER_TYPE user, const std::string& pin) const;
  void logout() const;

  std::vector<CK_OBJECT_HANDLE> find(const Template& wanted) const;
  Bytes get(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) const;
  void set(CK_OBJECT_HANDLE object, const Template& values) const;
  CK_OBJECT_HANDLE copy(CK_OBJECT_HANDLE object, const Template& changes) const;
  CK_OBJECT_HANDLE create(const Template& values) const;
  void destroy(CK_OBJECT_HANDLE object) const;

  CK_OBJECT_HANDLE generate(const Mechanism& mechanism, const Template& values) const;
  /// \returns the public and the private half
  std::pair<CK_OBJECT_HANDLE, CK_OBJECT_HANDLE> generatePair(const Mechanism& mechanism,
                                                             const Template& publicValues,
                                                             const Template& privateValues) const;
  /// RSA of 1024 bits, for speed, or of 2048 if the module refuses those: no attack here depends on the size.
  std::pair<CK_OBJECT_HANDLE, CK_OBJECT_HANDLE> generateRsaPair(Template publicValues,
                                                                const Template& privateValues) const;
  Bytes wrap(const Mechanism& mechanism, CK_OBJECT_HANDLE wrappingKey, CK_OBJECT_HANDLE key) const;
  CK_OBJECT_HANDLE unwrap(const Mechanism& mechanism, CK_OBJECT_HANDLE unwrappingKey, const Bytes& blob,
                          const Template& values) const;
  CK_OBJECT_HANDLE derive(const Mechanism& mechanism, CK_OBJECT_HANDLE base, const Template& values) const;

  Bytes encrypt(const Mechanism& mechanism, CK_OBJECT_HANDLE key, const Bytes& data) const;
  Bytes decrypt(const Mechanism& mechanism, CK_OBJECT_HANDLE key, const Bytes& data) const;
  Bytes sign(const Mechanism& mechanism, CK_OBJECT_HANDLE key, const Bytes& data) const;
  Bytes digestKey(CK_OBJECT_HANDLE key) const;
  /// C_GetOperationState in the middle of an encryption.
  Bytes operationState(const Mechanism& mechanism, CK_OBJECT_HANDLE key) const;

 private:
  CK_FUNCTION_LIST& functions_;
  CK_SESSION_HANDLE handle_ = CK_INVALID_HANDLE;
};

}  // namespace extraction
