#include "gcm.h"

#include <algorithm>
#include <array>

#include "failure.h"

namespace holdfast {
namespace {

/// Whether the end of an output buffer is unchanged. PKCS#11 gives no other sign that a call answered CKR_OK
/// and wrote nothing, or not everything. Random bytes end in eight zeroes with a probability of 2^-64.
bool endsInZeroes(ByteView bytes) {
  return std::ranges::all_of(bytes.last(std::min<size_t>(bytes.size(), 8)),
                             [](uint8_t byte) { return byte == 0; });
}

/// Whether the ciphertext begins with the plaintext. For the lengths checked, the probability of that is
/// 2^-128.
bool isEcho(ByteView ciphertext, ByteView plaintext) {
  return plaintext.size() >= kTagLength && std::ranges::equal(ciphertext.first(plaintext.size()), plaintext);
}

/// A ciphertext that has not the length that the mechanism gives it could never be decrypted.
void requireCiphertext(ByteView ciphertext, CK_ULONG length, ByteView plaintext) {
  if (length != ciphertext.size())
    throw badOutput(Function::C_Encrypt,
                    "the ciphertext does not have the length of the plaintext and a tag");
  if (endsInZeroes(ciphertext)) throw badOutput(Function::C_Encrypt, "the ciphertext has no tag");
  if (isEcho(ciphertext, plaintext)) throw badOutput(Function::C_Encrypt, "the ciphertext is the plaintext");
}

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

namespace {

[[nodiscard]] Bytes encryptWith(Session& session, CK_OBJECT_HANDLE key, CK_GCM_PARAMS& parameters,
                                ByteView plaintext) {
  CK_MECHANISM mechanism{CKM_AES_GCM, &parameters, sizeof parameters};
  auto& functions = session.functions();
  session.begin(Function::C_EncryptInit,
                [&](CK_SESSION_HANDLE handle) { return functions.C_EncryptInit(handle, &mechanism, key); });
  Bytes ciphertext(plaintext.size() + kTagLength);
  CK_ULONG length = ciphertext.size();
  check(Function::C_Encrypt, functions.C_Encrypt(session.handle(), pointerFor(plaintext), plaintext.size(),
                                                 ciphertext.data(), &length));
  requireCiphertext(ciphertext, length, plaintext);
  return ciphertext;
}

/// Decrypts into a buffer that is filled with `unwritten` before the call.
[[nodiscard]] Secret decryptOver(uint8_t unwritten, Session& session, CK_OBJECT_HANDLE key,
                                 CK_GCM_PARAMS& parameters, ByteView ciphertext) {
  CK_MECHANISM mechanism{CKM_AES_GCM, &parameters, sizeof parameters};
  auto& functions = session.functions();
  session.begin(Function::C_DecryptInit,
                [&](CK_SESSION_HANDLE handle) { return functions.C_DecryptInit(handle, &mechanism, key); });
  // SoftHSM demands room for the tag too.
  Secret plaintext(ciphertext.size());
  std::fill_n(plaintext.data(), plaintext.size(), unwritten);
  CK_ULONG length = plaintext.size();
  check(Function::C_Decrypt, functions.C_Decrypt(session.handle(), pointerFor(ciphertext), ciphertext.size(),
                                                 plaintext.data(), &length));
  if (length != ciphertext.size() - kTagLength)
    throw badOutput(Function::C_Decrypt,
                    "the plaintext does not have the length of the ciphertext without its tag");
  plaintext.truncate(length);
  if (isEcho(ciphertext, plaintext.view()))
    throw badOutput(Function::C_Decrypt, "the plaintext is the ciphertext");
  return plaintext;
}

}  // namespace

Bytes gcmEncrypt(Session& session, CK_OBJECT_HANDLE key, ByteView nonce, ByteView additionalData,
                 ByteView plaintext) {
  auto parameters = parametersFor(nonce, additionalData);
  return encryptWith(session, key, parameters, plaintext);
}

Bytes gcmEncryptWithTokenNonce(Session& session, CK_OBJECT_HANDLE key, Nonce& nonce, ByteView additionalData,
                               ByteView plaintext) {
  // Room for tokens that write a whole AES block there, or the initial counter.
  std::array<uint8_t, 64> room{};
  auto parameters = parametersFor(ByteView(room).first(kNonceLength), additionalData);
  Bytes ciphertext = encryptWith(session, key, parameters, plaintext);
  if (parameters.ulIvLen != kNonceLength)
    throw badOutput(Function::C_Encrypt, "the nonce does not have 12 bytes");
  std::copy_n(room.begin(), nonce.size(), nonce.begin());
  if (std::ranges::any_of(nonce, [](unsigned char byte) { return byte != 0; })) return ciphertext;
  Failure noNonce = rvFailure(Function::C_Encrypt, CKR_MECHANISM_PARAM_INVALID);
  noNonce.detail = "the token made no nonce";
  throw Failure(noNonce);
}

Secret gcmDecrypt(Session& session, CK_OBJECT_HANDLE key, ByteView nonce, ByteView additionalData,
                  ByteView ciphertext) {
  auto parameters = parametersFor(nonce, additionalData);
  Secret plaintext = decryptOver(0x00, session, key, parameters, ciphertext);
  if (plaintext.size() == 0 || !endsInZeroes(plaintext.view())) return plaintext;
  // The zeroes may be those of the untouched buffer. Zeroes of the plaintext also appear in a buffer that was
  // filled with other bytes.
  parameters = parametersFor(nonce, additionalData);
  const Secret again = decryptOver(0xff, session, key, parameters, ciphertext);
  if (!std::ranges::equal(again.view(), plaintext.view()))
    throw badOutput(Function::C_Decrypt, "the plaintext was not written, or only in part");
  return plaintext;
}

}  // namespace holdfast
