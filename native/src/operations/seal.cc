#include "gcm.h"
#include "key_trouble.h"
#include "operations/operations.h"
#include "seen_random.h"

namespace holdfast {

Sealed seal(Workplace& workplace, CK_OBJECT_HANDLE key, ByteView plaintext, ByteView additionalData) {
  Sealed sealed;
  if (workplace.profile.tokenMakesNonces) {
    sealed.ciphertext =
        gcmEncryptWithTokenNonce(workplace.session, key, sealed.nonce, additionalData, plaintext);
    if (!SeenRandom::ofProcess().note(sealed.nonce))
      throw badOutput("C_Encrypt", "a nonce that a token gave before");
    return sealed;
  }
  sealed.nonce = workplace.nonces.take(workplace);
  sealed.ciphertext = gcmEncrypt(workplace.session, key, sealed.nonce, additionalData, plaintext);
  return sealed;
}

Sealed sealUnder(Workplace& workplace, const MaterialPointer& material, ByteView plaintext,
                 ByteView additionalData) {
  return withProvenKey(workplace, material, [&](const ProvenKey& key) {
    Sealed sealed = seal(workplace, key.handle, plaintext, additionalData);
    requireStillProven(key);
    return sealed;
  });
}

}  // namespace holdfast
