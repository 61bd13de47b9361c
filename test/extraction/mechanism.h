/// \file Mechanisms that own their parameters.
#pragma once

#include <memory>

#include "cryptoki.h"

namespace extraction {

class Mechanism {
 public:
  /// Without a parameter.
  explicit Mechanism(CK_MECHANISM_TYPE type);

  /// The parameter is an initialisation vector.
  static Mechanism withIv(CK_MECHANISM_TYPE type, const Bytes& iv);
  /// A 96-bit nonce, a 128-bit tag, no additional data.
  static Mechanism aesGcm(const Bytes& nonce);
  /// SHA-1 and MGF1-SHA-1: all that SoftHSM 2.6.1 takes.
  static Mechanism oaepSha1();
  /// CKM_AES_ECB_ENCRYPT_DATA, CKM_XOR_BASE_AND_DATA, CKM_CONCATENATE_*.
  static Mechanism withData(CK_MECHANISM_TYPE type, const Bytes& data);
  static Mechanism aesCbcEncryptData(const Bytes& data);
  /// CKM_EXTRACT_KEY_FROM_KEY from the first bit.
  static Mechanism extractKey();

  CK_MECHANISM raw() const { return raw_; }

 private:
  /// Keeps what `raw_` points to.
  struct Parameter;

  std::shared_ptr<Parameter> parameter_;
  CK_MECHANISM raw_;
};

}  // namespace extraction
