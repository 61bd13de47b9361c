/// \file The attacks of docs/decisions/0016, tried after a ceremony on its keys and on throwaway keys.
#pragma once

#include <vector>

#include "attacks/attack_outcome.h"
#include "ceremony_token.h"
#include "clock.h"
#include "secret.h"

namespace holdfast {

/// Tries every attack, as the user with this PIN, or without a PIN if it is null. Leaves nothing on the
/// token. A refusal holds only if it is of a kind that says that the token's rules forbid the attack. C_Login
/// is called once, and not at all if the token says that the PIN is locked or that one try is left.
/// @throws Failure if the user cannot log in or the token goes away
[[nodiscard]] std::vector<AttackOutcome> checkTrust(const CeremonyMember& member,
                                                    const Generation& generation, const Secret* userPin,
                                                    Deadline deadline);

}  // namespace holdfast
