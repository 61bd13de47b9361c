/// \file The real module behind this one.
#pragma once

#define CRYPTOKI_COMPAT 1
#include "pkcs11.h"

namespace faulthsm {

/// Loads the library that HOLDFAST_FAULT_MODULE names, or reuses the one loaded before. Call it in
/// C_Initialize, when the variable is set. It loads a copy of its own: two copies of this module are two HSMs
/// and must not meet in one instance of SoftHSM. With HOLDFAST_FAULT_MODULE_SHARED it loads the library
/// itself (NSS finds its other libraries beside its own file). False if that fails.
bool chooseRealModule();

/// The module loaded last; null if none was loaded.
CK_FUNCTION_LIST* loadRealModule();

}  // namespace faulthsm
