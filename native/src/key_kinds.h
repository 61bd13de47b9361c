/// \file THE description of the kinds of keys: how each is made, which wrapping key copies it between
/// members, and how two copies prove that they are one key. Replication and its proof are written over these
/// rows.
///
/// Attributes as tried on SoftHSM 2.6.1, each with the attack that it stops: docs/decisions/0016.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>

#include "cryptoki.h"
#include "object_template.h"

namespace holdfast {

/// The wrapping keys of a generation. Each wraps one kind of keys, because a blob does not say what it
/// holds: under a common wrapping key, a private key's blob unwraps as a readable generic secret.
enum class WrappingKeyKind : uint8_t { kAes, kGenericSecret, kPrivateKey };

inline constexpr std::array kWrappingKeyKinds{WrappingKeyKind::kAes, WrappingKeyKind::kGenericSecret,
                                              WrappingKeyKind::kPrivateKey};

/// The kind's part of a wrapping key's label.
[[nodiscard]] const char* nameOf(WrappingKeyKind kind);

/// How a copy of a key shows that it is the same key.
enum class KnownAnswerKind : uint8_t {
  /// It decrypts an AES-GCM ciphertext.
  kDecrypts,
  /// Its SHA-256 HMAC of a message is the same.
  kSameMac,
  /// Its RSA signature of a message (PKCS #1 v1.5, which is deterministic) is the same.
  kSameSignature,
  /// Its ECDSA signature verifies under the public key. ECDSA is not deterministic, so no two are alike.
  kSignatureVerifies,
};

/// Whether a key may leave its token.
enum class Custody : uint8_t {
  /// Never: clusters with `replication: none` or `vendor`.
  kStaysInToken,
  /// Only under a trusted wrapping key (CKA_WRAP_WITH_TRUSTED): clusters with `replication: wrapped`.
  kWrapped,
};

/// How long a key lives.
enum class Lifetime : uint8_t {
  kToken,
  /// Until it is destroyed, or its session ends: it is seen by every session of the process, and by no other.
  kSession,
};

/// One kind of KMS key.
struct KeyKind {
  const char* name = "";
  CK_OBJECT_CLASS objectClass = CK_UNAVAILABLE_INFORMATION;
  CK_KEY_TYPE keyType = CK_UNAVAILABLE_INFORMATION;
  WrappingKeyKind wrappedBy = WrappingKeyKind::kAes;
  KnownAnswerKind knownAnswer = KnownAnswerKind::kDecrypts;
  /// Usage attributes that are true; all others of the class are false.
  std::span<const CK_ATTRIBUTE_TYPE> usage;
};

[[nodiscard]] const KeyKind& aesKey();
[[nodiscard]] const KeyKind& hmacKey();
[[nodiscard]] const KeyKind& rsaSigningKey();
[[nodiscard]] const KeyKind& ecSigningKey();

/// What names a key on its token.
struct KeyName {
  Bytes id;
  std::string label;
};

/// The attributes of a secret or private key. Every usage attribute is explicit: CKA_SIGN, CKA_WRAP and
/// others default to true on SoftHSM. `withCopyable` as `Profile::knowsCopyable`. `valueLength`, in bytes,
/// only for C_GenerateKey: SoftHSM refuses it in C_UnwrapKey. The attributes of a pair's private key belong
/// into C_GenerateKeyPair.
[[nodiscard]] ObjectTemplate keyTemplate(const KeyKind& kind, const KeyName& name, Custody custody,
                                         bool withCopyable, std::optional<CK_ULONG> valueLength = {},
                                         Lifetime lifetime = Lifetime::kToken);

/// CKA_WRAP_TEMPLATE of a wrapping key: the keys that it wraps.
[[nodiscard]] ObjectTemplate wrapTemplate(WrappingKeyKind kind);

/// CKA_UNWRAP_TEMPLATE of a wrapping key. Without it the holder of the PIN unwraps a key as one that can be
/// read; without CKA_PRIVATE in it, so does anyone who reaches the token, with no PIN at all.
[[nodiscard]] ObjectTemplate unwrapTemplate(WrappingKeyKind kind);

}  // namespace holdfast
