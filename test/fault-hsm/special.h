/// \file Functions that need more than being forwarded.
#pragma once

#define CRYPTOKI_COMPAT 1
#include "pkcs11.h"

namespace faulthsm {

/// Puts them into the list, in the place of those that only forward.
void addLifeFunctions(CK_FUNCTION_LIST& list);
void addTokenFunctions(CK_FUNCTION_LIST& list);
void addObjectFunctions(CK_FUNCTION_LIST& list);
void addCipherFunctions(CK_FUNCTION_LIST& list);

}  // namespace faulthsm
