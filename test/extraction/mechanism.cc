#include "mechanism.h"

#include <cstring>

namespace extraction {

struct Mechanism::Parameter {
  Bytes data;
  CK_GCM_PARAMS gcm{};
  CK_RSA_PKCS_OAEP_PARAMS oaep{};
  CK_KEY_DERIVATION_STRING_DATA string{};
  CK_AES_CBC_ENCRYPT_DATA_PARAMS cbc{};
  CK_ULONG firstBit = 0;
};

Mechanism::Mechanism(CK_MECHANISM_TYPE type)
    : parameter_(std::make_shared<Parameter>()), raw_{type, nullptr, 0} {}

Mechanism Mechanism::withIv(CK_MECHANISM_TYPE type, const Bytes& iv) {
  Mechanism made(type);
  made.parameter_->data = iv;
  made.raw_.pParameter = made.parameter_->data.data();
  made.raw_.ulParameterLen = iv.size();
  return made;
}

Mechanism Mechanism::aesGcm(const Bytes& nonce) {
  Mechanism made(CKM_AES_GCM);
  made.parameter_->data = nonce;
  auto& gcm = made.parameter_->gcm;
  gcm.pIv = made.parameter_->data.data();
  gcm.ulIvLen = nonce.size();
  gcm.ulIvBits = nonce.size() * 8;
  gcm.ulTagBits = 128;
  made.raw_.pParameter = &gcm;
  made.raw_.ulParameterLen = sizeof gcm;
  return made;
}

Mechanism Mechanism::oaepSha1() {
  Mechanism made(CKM_RSA_PKCS_OAEP);
  auto& oaep = made.parameter_->oaep;
  oaep.hashAlg = CKM_SHA_1;
  oaep.mgf = CKG_MGF1_SHA1;
  oaep.source = CKZ_DATA_SPECIFIED;
  made.raw_.pParameter = &oaep;
  made.raw_.ulParameterLen = sizeof oaep;
  return made;
}

Mechanism Mechanism::withData(CK_MECHANISM_TYPE type, const Bytes& data) {
  Mechanism made(type);
  made.parameter_->data = data;
  auto& string = made.parameter_->string;
  string.pData = made.parameter_->data.data();
  string.ulLen = data.size();
  made.raw_.pParameter = &string;
  made.raw_.ulParameterLen = sizeof string;
  return made;
}

Mechanism Mechanism::aesCbcEncryptData(const Bytes& data) {
  Mechanism made(CKM_AES_CBC_ENCRYPT_DATA);
  made.parameter_->data = data;
  auto& cbc = made.parameter_->cbc;
  std::memset(cbc.iv, 0, sizeof cbc.iv);
  cbc.pData = made.parameter_->data.data();
  cbc.length = data.size();
  made.raw_.pParameter = &cbc;
  made.raw_.ulParameterLen = sizeof cbc;
  return made;
}

Mechanism Mechanism::extractKey() {
  Mechanism made(CKM_EXTRACT_KEY_FROM_KEY);
  made.raw_.pParameter = &made.parameter_->firstBit;
  made.raw_.ulParameterLen = sizeof made.parameter_->firstBit;
  return made;
}

}  // namespace extraction
