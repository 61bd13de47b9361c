#include "encryption_check.h"
#include "gcm.h"
#include "key_trouble.h"
#include "operations/operations.h"
#include "seen_random.h"

namespace holdfast {
namespace {

void requireNew(const Nonce& nonce) {
  if (!SeenRandom::ofProcess().note(nonce))
    throw badOutput(Function::C_Encrypt, "the nonce is one that a token gave before");
}

}  // namespace

EncryptedData encryptWith(OperationContext& context, CK_OBJECT_HANDLE key, ByteView plaintext,
                          ByteView additionalData) {
  EncryptedData encrypted;
  if (context.profile.tokenMakesNonces) {
    encrypted.ciphertext =
        gcmEncryptWithTokenNonce(context.session, key, encrypted.nonce, additionalData, plaintext);
    requireNew(encrypted.nonce);
    return encrypted;
  }
  encrypted.nonce = context.nonces.take(context);
  const Nonce drawn = encrypted.nonce;
  encrypted.ciphertext = gcmEncrypt(context.session, key, encrypted.nonce, additionalData, plaintext);
  // The token may write to the parameter block: some replace our nonce with one of their own.
  if (encrypted.nonce != drawn) requireNew(encrypted.nonce);
  return encrypted;
}

EncryptedData encryptUnder(OperationContext& context, const MaterialPointer& material, ByteView plaintext,
                           ByteView additionalData) {
  return withProvenKey(context, material, [&](const ProvenKey& key) {
    EncryptedData encrypted = encryptWith(context, key.handle, plaintext, additionalData);
    requireStillProven(key);
    requireDecryptable(context, material, key, plaintext, additionalData, encrypted);
    return encrypted;
  });
}

}  // namespace holdfast
