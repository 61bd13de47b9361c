/// \file Functions that need more than forwarding.
#pragma once

#define CRYPTOKI_COMPAT 1
#include "pkcs11.h"

namespace faulthsm {

/// Each of these replaces forwarding functions in the list by special ones.
void addLifeFunctions(CK_FUNCTION_LIST& list);
void addTokenFunctions(CK_FUNCTION_LIST& list);
void addObjectFunctions(CK_FUNCTION_LIST& list);
void addCipherFunctions(CK_FUNCTION_LIST& list);

}  // namespace faulthsm
