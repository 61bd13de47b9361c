/// \file Keys of every kind, made on a token as a cluster would.
#pragma once

#include <array>
#include <string>

#include "ceremony_fixture.h"
#include "key_kinds.h"

namespace holdfast {

inline constexpr std::array kKinds{&aesKey, &hmacKey, &rsaSigningKey, &ecSigningKey};

/// Its CKA_ID and its label are of the name.
KeyName named(const std::string& name);

/// A key on one member, and its public half if it has one.
struct Made {
  CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
  CK_OBJECT_HANDLE publicKey = CK_INVALID_HANDLE;
};

/// An extractable key that leaves under trusted keys alone. EC keys are on P-256, RSA keys have 2,048 bits.
Made make(UserSession& on, const KeyKind& kind, const KeyName& name);

}  // namespace holdfast
