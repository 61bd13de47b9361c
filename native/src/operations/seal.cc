#include "encryption_check.h"
#include "gcm.h"
#include "key_trouble.h"
#include "operations/operations.h"
#include "seen_random.h"

namespace holdfast {
namespace {

void requireNew(const Nonce& nonce) {
  if (!SeenRandom::ofProcess().note(nonce))
    throw badOutput(Function::C_Encrypt, "a nonce that a token gave before");
}

}  // namespace

Sealed seal(OperationContext& context, CK_OBJECT_HANDLE key, ByteView plaintext, ByteView additionalData) {
  Sealed sealed;
  if (context.profile.tokenMakesNonces) {
    sealed.ciphertext =
        gcmEncryptWithTokenNonce(context.session, key, sealed.nonce, additionalData, plaintext);
    requireNew(sealed.nonce);
    return sealed;
  }
  sealed.nonce = context.nonces.take(context);
  const Nonce drawn = sealed.nonce;
  sealed.ciphertext = gcmEncrypt(context.session, key, sealed.nonce, additionalData, plaintext);
  // The parameter block is the token's to write to: some put a nonce of their own in the place of ours.
  if (sealed.nonce != drawn) requireNew(sealed.nonce);
  return sealed;
}

Sealed sealUnder(OperationContext& context, const MaterialPointer& material, ByteView plaintext,
                 ByteView additionalData) {
  return withProvenKey(context, material, [&](const ProvenKey& key) {
    Sealed sealed = seal(context, key.handle, plaintext, additionalData);
    requireStillProven(key);
    requireDecryptable(context, material, key, plaintext, additionalData, sealed);
    return sealed;
  });
}

}  // namespace holdfast
