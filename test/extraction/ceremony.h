/// \file The trusted-wrapping ceremony on one token, which plays all members: its wrapping keys are carried
/// to itself.
#pragma once

#include <map>

#include "known_answer.h"
#include "preparation.h"

namespace extraction {

/// Makes the trusted wrapping keys, one for each kind of key, in a session of the security officer
/// (`so-made`), or of the user on modules that let users make trusted keys. \param keyWrap RFC 5649, as the
/// module numbers it \returns each wrapping key under the carry key, as somebody could have recorded it
std::map<Kind, Bytes> makeWrappingKeys(const Session& session, const Preparation& preparation,
                                       CK_MECHANISM_TYPE keyWrap);

/// Makes one KMS key of each kind in a session of the user. \returns their CKA_IDs
std::map<Kind, Bytes> makeKeys(const Session& session, const Preparation& preparation);

}  // namespace extraction
