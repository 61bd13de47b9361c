/// \file AES-GCM in one part (PKCS#11 v2.40 §5.8, §5.9; mechanisms §2.12.4 CK_GCM_PARAMS).
#pragma once

#include "bytes.h"
#include "nonces.h"
#include "secret.h"
#include "session.h"

namespace holdfast {

/// Ciphertext with the 16-byte tag behind it. Throws `bad-output` for one of another length, without a tag,
/// or that is its plaintext.
[[nodiscard]] Bytes gcmEncrypt(Session& session, CK_OBJECT_HANDLE key, ByteView nonce,
                               ByteView additionalData, ByteView plaintext);

/// The same for a token that makes the nonce: `nonce` is 12 zero bytes and becomes the token's. Throws if the
/// token leaves it zero: a ciphertext under that nonce must never get out.
[[nodiscard]] Bytes gcmEncryptWithTokenNonce(Session& session, CK_OBJECT_HANDLE key, Nonce& nonce,
                                             ByteView additionalData, ByteView plaintext);

/// Throws a Failure of kind `rv` whose function says which step failed, and `bad-output` for a plaintext of
/// another length than the ciphertext without its tag, or one that was not written. `ciphertext` is at least
/// as long as the tag. Decrypts twice if the plaintext ends in zeroes, because an untouched buffer looks the
/// same.
[[nodiscard]] Secret gcmDecrypt(Session& session, CK_OBJECT_HANDLE key, ByteView nonce,
                                ByteView additionalData, ByteView ciphertext);

}  // namespace holdfast
