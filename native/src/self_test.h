/// \file Whether an HSM decrypts at all, where a key fails its canary.
#pragma once

#include "clock.h"
#include "workplace.h"

namespace holdfast {

/// Encrypts and decrypts with a key that lives for this call only. Throws `self-test-failed` where what was
/// encrypted does not decrypt: then the HSM is ill, and nothing is known of the key whose canary failed.
/// Where the token makes no such key, or refuses to encrypt under it, nothing is known, and nothing is
/// thrown; where it is lost, or fails otherwise, what it answers is. Remembered for a second:
/// whoever holds the PIN could swap a key, and each use of it would make another one.
void requireDecryption(Workplace& workplace);

}  // namespace holdfast
