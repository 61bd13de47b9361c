/// \file Opens the tokens that take part in a ceremony, or in a check of one.
#pragma once

#include <string>

#include "ceremony_token.h"
#include "module.h"
#include "threads.h"
#include "token.h"

namespace holdfast {

/// `NativeCeremonyMember` of src/hsm/native-ceremony.ts.
struct CeremonyMemberOptions {
  /// Its name in the configuration.
  std::string name;
  ModuleOptions module;
  TokenName token;
  Profile profile;
  KeyMaker maker = KeyMaker::kOfficer;
};

/// Loads the module, initialises it and finds the token; never logs in. `threads` look into the slots, and
/// may hang there. Throws as Module::open and Token::find do.
[[nodiscard]] CeremonyMember openCeremonyMember(const CeremonyMemberOptions& options, Threads& threads,
                                                Deadline deadline);

}  // namespace holdfast
