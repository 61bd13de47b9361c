/// \file AES-GCM in one part (PKCS#11 v2.40 §5.8, §5.9; mechanisms §2.12.4 CK_GCM_PARAMS).
#pragma once

#include "bytes.h"
#include "nonces.h"
#include "secret.h"
#include "session.h"

namespace holdfast {

/// The ciphertext, followed by the 16-byte tag. Throws `bad-output` if it has another length, has no tag, or
/// equals the plaintext.
[[nodiscard]] Bytes gcmEncrypt(Session& session, CK_OBJECT_HANDLE key, ByteView nonce,
                               ByteView additionalData, ByteView plaintext);

/// Encrypts on a token that makes the nonce: pass 12 zero bytes as `nonce`, and the token's nonce replaces
/// them. Throws if the token leaves it zero: a ciphertext under that nonce must never get out.
[[nodiscard]] Bytes gcmEncryptWithTokenNonce(Session& session, CK_OBJECT_HANDLE key, Nonce& nonce,
                                             ByteView additionalData, ByteView plaintext);

/// Decrypts. Throws a Failure of kind `rv` whose function says which step failed, and `bad-output` for a
/// plaintext that is not 16 bytes shorter than the ciphertext, or that was not written. `ciphertext` is at
/// least as long as the tag. If the plaintext ends in zeroes, decrypts a second time, because an untouched
/// buffer looks the same.
[[nodiscard]] Secret gcmDecrypt(Session& session, CK_OBJECT_HANDLE key, ByteView nonce,
                                ByteView additionalData, ByteView ciphertext);

}  // namespace holdfast
