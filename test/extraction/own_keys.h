/// \file Keys of the attacker's, whose values it knows.
#pragma once

#include "scene.h"

namespace extraction {

struct OwnKey {
  CK_OBJECT_HANDLE handle;
  Bytes value;
};

/// A readable AES key that may do everything. `isTrusted` asks for CKA_TRUSTED too; otherwise it is left out.
Template ownAesTemplate(const Scene& scene, bool isTrusted);

/// C_CreateObject, C_GenerateKey, and C_UnwrapKey of a value that the attacker encrypted under its own RSA
/// key.
OwnKey createAes(const Scene& scene, bool isTrusted);
OwnKey generateAes(const Scene& scene, bool isTrusted);
OwnKey unwrapAes(const Scene& scene, bool isTrusted);

OwnPair generateRsa(const Session& session, bool isUser, bool isTrusted);

/// Wraps `object` under the attacker's AES key, by whichever mechanism the token takes, and unwraps it in
/// software. \throws Refused as the first mechanism was
Bytes wrappedUnder(const Scene& scene, const OwnKey& own, CK_OBJECT_HANDLE object);
/// The same under an RSA key, and decrypts it with the private half.
Bytes wrappedUnder(const Scene& scene, const OwnPair& own, CK_OBJECT_HANDLE object);

/// The cipher of a key in software.
BlockCipher decryptionWith(const Bytes& key);

/// The blob of the target's, unwrapped with a block oracle. Empty if it is not the wrapping key's oracle.
Bytes blobUnwrappedBy(const Scene& scene, const BlockCipher& decrypt);

/// D(block) of an AES object, by CKM_AES_ECB.
BlockCipher decryptionOracle(const Scene& scene, CK_OBJECT_HANDLE key);

}  // namespace extraction
