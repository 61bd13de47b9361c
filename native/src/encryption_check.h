/// \file Whether what the HSM encrypted decrypts again.
#pragma once

#include "key_proof.h"
#include "operation.h"

namespace holdfast {

/// Decrypts the first ciphertexts that a key makes since it proved itself, and compares: a ciphertext of the
/// right length may still be another call's, or have its parts in the wrong order, and nobody would know
/// before it is needed. Two of them, because an output of the call before shows from the second one on.
///
/// Throws `key-refused` where the HSM works with another key, `self-test-failed` where it does not or nothing
/// is known, what `provenKey` throws where the key does not prove itself any more, and `handle-revoked` in
/// the place of what a lane would begin again after: an encryption was spent.
void requireDecryptable(OperationContext& context, const MaterialPointer& material, const ProvenKey& key,
                        ByteView plaintext, ByteView additionalData, const Sealed& sealed);

}  // namespace holdfast
