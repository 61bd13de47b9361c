/// \file Functions that need more than forwarding.
#pragma once

#define CRYPTOKI_COMPAT 1
#include "pkcs11.h"

namespace faulthsm {

/// Replaces the forwarding ones in the list by them.
void addLifeFunctions(CK_FUNCTION_LIST& list);
void addTokenFunctions(CK_FUNCTION_LIST& list);
void addObjectFunctions(CK_FUNCTION_LIST& list);
void addCipherFunctions(CK_FUNCTION_LIST& list);

}  // namespace faulthsm
