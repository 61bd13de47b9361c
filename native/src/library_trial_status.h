/// \file The exit status of the program `library-trial`.
#pragma once

namespace holdfast {

/// The program came to its end: the library loads, or is refused with a message. No library exits with this
/// status by chance.
constexpr int kLibraryTrialSurvived = 86;

}  // namespace holdfast
