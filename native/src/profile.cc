#include "profile.h"

#include <algorithm>

#include "failure.h"

namespace holdfast {

bool Profile::maySpeakOfCiphertext(CK_RV value) const {
  return std::ranges::find(wrongTagCodes, value) != wrongTagCodes.end();
}

void Profile::requireFits(size_t plaintextLength) const {
  if (plaintextLength <= maximumGcmLength) return;
  throw failure(FailureKind::kTooLong,
                "the token takes at most " + std::to_string(maximumGcmLength) + " bytes at a time");
}

std::vector<CK_RV> Profile::defaultWrongTagCodes() {
  return {CKR_ENCRYPTED_DATA_INVALID, CKR_ENCRYPTED_DATA_LEN_RANGE, kAeadDecryptFailed,
          CKR_GENERAL_ERROR,          CKR_FUNCTION_FAILED,          CKR_DATA_INVALID,
          CKR_DATA_LEN_RANGE};
}

}  // namespace holdfast
