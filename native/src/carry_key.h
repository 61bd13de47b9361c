/// \file The RSA key under which cluster keys travel to one member.
#pragma once

#include <string>

#include "key_kinds.h"
#include "profile.h"
#include "rsa_public_key.h"
#include "session.h"
#include "sha256.h"

namespace holdfast {

/// Bits of a carry key unless its member is set otherwise, about as strong as AES-128 (NIST SP 800-57 part 1,
/// table 2).
inline constexpr CK_ULONG kCarryKeyBits = 3072;

/// For comparison with what the HSM's console or the vendor's attestation shows.
struct CarryKeyFingerprint {
  std::string member;
  std::string serialNumber;
  /// SHA-256 of the SubjectPublicKeyInfo of the member's carry key.
  Sha256 fingerprint{};
};

/// A key pair that lives as long as its session. Its private half unwraps, and does nothing else: one that
/// could decrypt too would give the cluster keys in plain text (measured on SoftHSM 2.6.1).
class CarryKey {
 public:
  /// Generates the pair and checks its attributes and its public half. Throws `bad-output` if either half is
  /// not as requested.
  CarryKey(Session& session, const Profile& profile, CK_ULONG bits);

  [[nodiscard]] const RsaPublicKey& publicKey() const { return publicKey_; }

  /// Makes the key that was wrapped for this one. Throws `bad-output` if it has no handle.
  [[nodiscard]] CK_OBJECT_HANDLE unwrap(ByteView blob, ObjectTemplate& wanted) const;

 private:
  Session& session_;
  const Profile& profile_;
  CK_OBJECT_HANDLE privateKey_ = CK_INVALID_HANDLE;
  RsaPublicKey publicKey_;
};

/// Another member's carry key, as far as it leaves its token: a session object that can only wrap.
class CarryKeyElsewhere {
 public:
  /// `profile` is the other member's, which must understand what this one wraps.
  CarryKeyElsewhere(Session& session, const RsaPublicKey& publicKey, const Profile& profile);
  CarryKeyElsewhere(const CarryKeyElsewhere&) = delete;
  CarryKeyElsewhere& operator=(const CarryKeyElsewhere&) = delete;
  /// Destroys the object.
  ~CarryKeyElsewhere();

  /// The key, encrypted for the other member. Throws `bad-output` if it has not the length of the modulus.
  [[nodiscard]] Bytes wrap(CK_OBJECT_HANDLE key) const;

 private:
  Session& session_;
  const Profile& profile_;
  const size_t length_;
  CK_OBJECT_HANDLE object_ = CK_INVALID_HANDLE;
};

}  // namespace holdfast
