/// \file The module behind.
#pragma once

#define CRYPTOKI_COMPAT 1
#include "pkcs11.h"

namespace faulthsm {

/// Loads the library that HOLDFAST_FAULT_MODULE names, or takes the one loaded before: at C_Initialize,
/// because that is when it stands in the environment. A copy of its own, since two copies of this module are
/// two HSMs and must not meet in one instance of SoftHSM; except where HOLDFAST_FAULT_MODULE_SHARED stands
/// too (NSS finds its other libraries beside its own file). False where that fails.
bool chooseRealModule();

/// The one chosen last; null before.
CK_FUNCTION_LIST* loadRealModule();

}  // namespace faulthsm
