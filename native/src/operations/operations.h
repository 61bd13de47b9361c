/// \file The operations that lanes run, one file each in this folder; `NativePool` of src/hsm/native.ts says
/// what they do.
#pragma once

#include <string>

#include "material.h"
#include "operation.h"

namespace holdfast {

OperationPointer makeGenerateKey(Bytes id, std::string label);
OperationPointer makeSealCanary(Bytes id, std::string label, Secret plaintext, Bytes additionalData);
OperationPointer makeDestroyKey(Bytes id);
OperationPointer makeReadAttributes(Bytes id);
OperationPointer makeProbe(MaterialPointer material);
OperationPointer makeEncrypt(MaterialPointer material, Secret plaintext, Bytes additionalData);
OperationPointer makeDecrypt(MaterialPointer material, Bytes nonce, Bytes ciphertext, Bytes additionalData);
OperationPointer makeGenerateDataKey(MaterialPointer material, size_t length, Bytes additionalData);
OperationPointer makeRandom(size_t length);

/// Encrypts under the material's key: `handle-revoked` where another lane saw meanwhile that the handle is
/// another key's. Then the ciphertext is nobody's.
Sealed sealUnder(Workplace& workplace, const MaterialPointer& material, ByteView plaintext,
                 ByteView additionalData);

/// Takes a nonce of the token's RNG (design invariant 9) and encrypts with a handle that may be used.
Sealed seal(Workplace& workplace, CK_OBJECT_HANDLE key, ByteView plaintext, ByteView additionalData);

/// Reads the whole token into the cache (design §6). Not a lane's operation: it takes long and has a session
/// of its own.
std::vector<ObjectSummary> takeInventory(Workplace& workplace);

}  // namespace holdfast
