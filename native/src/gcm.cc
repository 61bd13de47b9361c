#include "gcm.h"

#include <algorithm>

#include "failure.h"

namespace holdfast {
namespace {

/// The parameter block; lives as long as the C_…Init call that reads it.
CK_GCM_PARAMS parametersFor(ByteView nonce, ByteView additionalData) {
  CK_GCM_PARAMS parameters{};
  parameters.pIv = pointerFor(nonce);
  parameters.ulIvLen = nonce.size();
  parameters.ulIvBits = nonce.size() * 8;
  parameters.pAAD = pointerFor(additionalData);
  parameters.ulAADLen = additionalData.size();
  parameters.ulTagBits = kTagLength * 8;
  return parameters;
}

}  // namespace

Secret drawRandom(Session& session, size_t length) {
  Secret bytes(length);
  check("C_GenerateRandom", session.functions().C_GenerateRandom(session.handle(), bytes.data(), length));
  return bytes;
}

Bytes gcmEncrypt(Session& session, CK_OBJECT_HANDLE key, ByteView nonce, ByteView additionalData,
                 ByteView plaintext) {
  auto parameters = parametersFor(nonce, additionalData);
  CK_MECHANISM mechanism{CKM_AES_GCM, &parameters, sizeof parameters};
  auto& functions = session.functions();
  check("C_EncryptInit", functions.C_EncryptInit(session.handle(), &mechanism, key));
  Bytes ciphertext(plaintext.size() + kTagLength);
  CK_ULONG length = ciphertext.size();
  check("C_Encrypt", functions.C_Encrypt(session.handle(), pointerFor(plaintext), plaintext.size(),
                                         ciphertext.data(), &length));
  // A short answer would lack its tag, and nobody could decrypt it later.
  if (length != ciphertext.size()) throw rvFailure("C_Encrypt", CKR_GENERAL_ERROR);
  return ciphertext;
}

Bytes gcmEncryptWithTokenNonce(Session& session, CK_OBJECT_HANDLE key, Nonce& nonce, ByteView additionalData,
                               ByteView plaintext) {
  nonce.fill(0);
  Bytes ciphertext = gcmEncrypt(session, key, nonce, additionalData, plaintext);
  if (std::ranges::any_of(nonce, [](unsigned char byte) { return byte != 0; })) return ciphertext;
  throw Failure{
      .rv = CKR_MECHANISM_PARAM_INVALID, .functionName = "C_Encrypt", .detail = "the token made no nonce"};
}

Secret gcmDecrypt(Session& session, CK_OBJECT_HANDLE key, ByteView nonce, ByteView additionalData,
                  ByteView ciphertext) {
  auto parameters = parametersFor(nonce, additionalData);
  CK_MECHANISM mechanism{CKM_AES_GCM, &parameters, sizeof parameters};
  auto& functions = session.functions();
  check("C_DecryptInit", functions.C_DecryptInit(session.handle(), &mechanism, key));
  // SoftHSM wants room for the tag too.
  Secret plaintext(ciphertext.size());
  CK_ULONG length = plaintext.size();
  check("C_Decrypt", functions.C_Decrypt(session.handle(), pointerFor(ciphertext), ciphertext.size(),
                                         plaintext.data(), &length));
  if (length > ciphertext.size() - kTagLength) throw rvFailure("C_Decrypt", CKR_GENERAL_ERROR);
  plaintext.truncate(length);
  return plaintext;
}

}  // namespace holdfast
