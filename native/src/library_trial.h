/// \file Whether a library can be loaded without ending the process that loads it.
#pragma once

#include <string>

#include "clock.h"
#include "environment.h"

namespace holdfast {

/// Loads the library, and asks it for its functions, in a process of its own (`library-trial`, beside this
/// code): a file that is cut off ends a process by SIGBUS inside the loader, and a constructor may crash,
/// call `exit`, or hang with the loader's lock held. Does so once for each file and environment; the caller
/// keeps that environment set (`EnvironmentScope`). Returns if that process survived, even if the library was
/// refused: then loading it here gives the reason. Throws kind `module` otherwise, and if there is no answer
/// within ten seconds or three quarters of the time that is left.
void tryInAnotherProcess(const std::string& realPath, const EnvironmentVariables& environment,
                         Deadline deadline);

}  // namespace holdfast
