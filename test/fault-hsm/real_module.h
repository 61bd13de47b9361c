/// \file The module behind.
#pragma once

#define CRYPTOKI_COMPAT 1
#include "pkcs11.h"

/// Loads a copy of its own of the library that HOLDFAST_FAULT_MODULE names, once: two copies of the
/// fault-injecting module are two HSMs, and must not meet in one instance of SoftHSM. Null where that fails.
CK_FUNCTION_LIST* loadRealModule();
