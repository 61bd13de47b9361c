/// \file Proof that recovered bytes are the key: an answer that the token gave before the attack.
#pragma once

#include "client.h"

namespace extraction {

/// The kinds of keys that the attacks are tried on.
enum class Kind : CK_BYTE { kAes = 1, kGenericSecret = 2, kPrivate = 4 };

const char* nameOf(Kind kind);

class KnownAnswer {
 public:
  /// Has the token encrypt (AES, by GCM), compute a MAC (generic secret, by HMAC-SHA-256) or sign (EC on
  /// P-256).
  KnownAnswer(const Session& session, CK_OBJECT_HANDLE key, Kind kind);

  /// Whether the key is anywhere in these bytes: bare, or in a PKCS#8 structure. Asks no token.
  bool isIn(const Bytes& bytes) const;
  /// Whether this AES object decrypts the known ciphertext.
  bool isDecryptedBy(const Session& session, CK_OBJECT_HANDLE object) const;
  /// The block that AES has to encrypt for the beginning of the known ciphertext's key stream.
  Bytes counterBlock() const;
  /// Whether these 16 bytes are that key stream.
  bool isKeyStream(const Bytes& stream) const;

 private:
  bool isKey(const Bytes& candidate) const;

  Kind kind_;
  Bytes nonce_;
  /// The plaintext, message or digest.
  Bytes input_;
  /// The ciphertext with its tag, MAC or signature.
  Bytes output_;
};

}  // namespace extraction
