/// \file The operations that lanes run, one file each in this folder; `NativePool` of src/hsm/native.ts says
/// what they do.
#pragma once

#include <string>

#include "material.h"
#include "operation.h"

namespace holdfast {

/// An AES-256 key with every attribute explicit, checked, and proved by the canary that it has just
/// encrypted: gives that canary (EncryptedData). `bad-output` where the key is not as it was asked for. The
/// id is fresh random bytes. Not repeatable: after a failure nobody knows whether the token has the key.
[[nodiscard]] OperationPointer makeGenerateKey(Bytes id, std::string label, Bytes canaryPlaintext,
                                               Bytes canaryAdditionalData);
/// Every object with this class and CKA_ID; gives how many. "None left" counts only from a living token.
[[nodiscard]] OperationPointer makeDestroyKey(ObjectIdentity doomed);
/// Of the objects with this class and CKA_ID, at most 64 of them.
[[nodiscard]] OperationPointer makeReadAttributes(ObjectIdentity wanted);
/// Proves the material anew, whatever is known of its handle.
[[nodiscard]] OperationPointer makeProbe(MaterialPointer material);
/// `too-long` beyond the maximum of the profile, before the token is touched; so the next two.
[[nodiscard]] OperationPointer makeEncrypt(MaterialPointer material, Secret plaintext, Bytes additionalData);
/// `callerFault` where the ciphertext is shorter than a tag, or the canary decrypts on the same handle.
[[nodiscard]] OperationPointer makeDecrypt(MaterialPointer material, Bytes nonce, Bytes ciphertext,
                                           Bytes additionalData);
/// Bytes of the token's RNG, given in plain and encrypted under the material.
[[nodiscard]] OperationPointer makeGenerateDataKey(MaterialPointer material, size_t length,
                                                   Bytes additionalData);
/// Bytes of the token's RNG (C_GenerateRandom, PKCS#11 v2.40 §5.16).
[[nodiscard]] OperationPointer makeRandom(size_t length);

/// Encrypts under the material's key: `handle-revoked` where another lane saw meanwhile that the handle is
/// another key's. Then the ciphertext is nobody's.
[[nodiscard]] EncryptedData encryptUnder(OperationContext& context, const MaterialPointer& material,
                                         ByteView plaintext, ByteView additionalData);

/// Takes a nonce of the token's RNG (invariant 9) and encrypts with a handle that may be used.
[[nodiscard]] EncryptedData encryptWith(OperationContext& context, CK_OBJECT_HANDLE key, ByteView plaintext,
                                        ByteView additionalData);

/// Reads the whole token into the cache. Not a lane's operation: it takes long and has a session
/// of its own.
[[nodiscard]] std::vector<ObjectSummary> takeInventory(OperationContext& context);

}  // namespace holdfast
