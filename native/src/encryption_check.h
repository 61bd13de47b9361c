/// \file The check that a ciphertext from the HSM decrypts again.
#pragma once

#include "key_proof.h"
#include "operation.h"

namespace holdfast {

/// Decrypts the first ciphertexts that a key makes since it proved itself, and compares: a ciphertext of the
/// right length may still be another call's, or have its parts in the wrong order, and that would show only
/// when it is needed. Checks two, because the previous call's output shows only from the second one on.
///
/// Throws `key-refused` if the HSM works with another key, `self-test-failed` if it works with none or if no
/// other key is known, and provenKey's failure if the key no longer proves itself. A failure after which a
/// lane would begin again becomes `handle-revoked`, because an encryption was spent.
void requireDecryptable(OperationContext& context, const MaterialPointer& material, const ProvenKey& key,
                        ByteView plaintext, ByteView additionalData, const EncryptedData& encrypted);

}  // namespace holdfast
