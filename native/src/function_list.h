/// \file A module's table of functions, checked before anything in it is called (PKCS#11 v2.40 §3.6, §5.4).
#pragma once

#include "cryptoki.h"

namespace holdfast {

/// Calls C_GetFunctionList. Throws a Failure of kind `module` if there is no table, or if the table cannot be
/// used to initialise.
[[nodiscard]] CK_FUNCTION_LIST* requireFunctionList(CK_RV rv, CK_FUNCTION_LIST* functions);

/// Called after C_Initialize, because some modules that forward calls fill in their table only then. Throws a
/// Failure of kind `module` unless the table has every function that the addon calls. §3.6 demands an entry
/// for each, and a call through NULL would end the process.
void requireFunctions(const CK_FUNCTION_LIST& functions);

}  // namespace holdfast
