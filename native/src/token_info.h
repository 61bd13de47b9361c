/// \file Reading slots and tokens (PKCS#11 v2.40 §5.5).
#pragma once

#include <string>
#include <vector>

#include "token.h"

namespace holdfast {

/// C_GetSlotList with tokenPresent. An impossible list is `bad-output`, as in the next function.
[[nodiscard]] std::vector<CK_SLOT_ID> slotsWithToken(CK_FUNCTION_LIST& functions);

/// C_GetTokenInfo, C_GetMechanismList, and C_GetInfo of its module.
[[nodiscard]] TokenInfo readTokenInfo(CK_FUNCTION_LIST& functions, CK_SLOT_ID slot);

/// A text field: padded with blanks, not terminated (§3, CK_TOKEN_INFO). Some modules terminate it instead:
/// bytes after a NUL are not the token's. Control characters are escaped (`\x1b`), because names of tokens
/// are shown to operators and compared.
std::string printable(const unsigned char* field, size_t size);

/// Reads a field whose type includes its size.
template <size_t N>
std::string textOf(const unsigned char (&field)[N]) {
  return printable(field, N);
}

}  // namespace holdfast
