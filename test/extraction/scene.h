/// \file What an attacker has: a session, sight of the token, and what could be recorded before.
#pragma once

#include "key_wrap.h"
#include "known_answer.h"

namespace extraction {

/// The object is not visible in this session.
struct Invisible : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The attack needs something that there is not.
struct NotTried : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A key that the attacker is after.
struct Target {
  Kind kind;
  Bytes id;
  KnownAnswer answer;
  /// CKA_ID of the trusted key that wrapped it; empty if no trusted key wraps it.
  Bytes wrappingId;
  /// The key under that one: what a backup or another member's unwrap shows.
  Bytes blob;
  /// That wrapping key under the carry key, as recorded during the ceremony; empty on existing tokens.
  Bytes carriedBlob;
};

/// RSA, made by the attacker.
struct OwnPair {
  CK_OBJECT_HANDLE publicHalf;
  CK_OBJECT_HANDLE privateHalf;
};

struct Scene {
  const Session& session;
  const Target& target;
  bool isUser;
  OwnPair ownPair;
  /// RFC 5649, as the module numbers it.
  CK_MECHANISM_TYPE keyWrap;

  /// \throws Invisible
  CK_OBJECT_HANDLE key() const;
  CK_OBJECT_HANDLE wrappingKey() const;
  /// All objects with CKA_TRUSTED but that one.
  std::vector<CK_OBJECT_HANDLE> otherWrappingKeys() const;

  /// Of a session object of the attacker's: public if there is no login.
  Template ownObject() const { return ownObject(isUser); }
  static Template ownObject(bool isUser) {
    return Template().flag(CKA_TOKEN, false).flag(CKA_PRIVATE, isUser);
  }
  /// Of an honest replica of the target, as a session object (public if there is no login); attacks change
  /// it.
  Template replica() const;
  /// Unwraps the target's blob. \throws NotTried if there is none
  CK_OBJECT_HANDLE unwrapBlob(const Template& values) const;
  /// The same for a blob that the attacker made.
  CK_OBJECT_HANDLE unwrap(const Bytes& blob, const Template& values) const;
  Mechanism keyWrapMechanism() const { return Mechanism(keyWrap); }
};

/// Every secret key with CKA_TRUSTED.
std::vector<CK_OBJECT_HANDLE> findTrustedKeys(const Session& session);

/// The public or private objects, or secret keys, with this CKA_ID.
std::vector<CK_OBJECT_HANDLE> findById(const Session& session, const Bytes& id, CK_OBJECT_CLASS objectClass);

CK_OBJECT_CLASS classOf(Kind kind);
CK_KEY_TYPE keyTypeOf(Kind kind);

}  // namespace extraction
