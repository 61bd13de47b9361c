#include "profile.h"

#include <string>

#include "failure.h"

namespace holdfast {

void Profile::requireFits(size_t plaintextLength) const {
  if (plaintextLength <= maximumGcmLength) return;
  throw failure(FailureKind::kTooLong,
                "the token takes at most " + std::to_string(maximumGcmLength) + " bytes at a time");
}

}  // namespace holdfast
