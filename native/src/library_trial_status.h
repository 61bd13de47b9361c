/// \file The exit status of the program `library-trial`.
#pragma once

namespace holdfast {

/// It came to its end: the library loads, or is refused by a message. No library exits with it by chance.
constexpr int kLibraryTrialSurvived = 86;

}  // namespace holdfast
