/// \file A PKCS#11 module that forwards every function to a real one and misbehaves as a script says. It
/// stands for HSMs that hang, fail, forget and lock PINs, which SoftHSM never does. docs/faults.md describes
/// all of it.
///
/// Environment, read at C_Initialize: HOLDFAST_FAULT_MODULE (the real library), HOLDFAST_FAULT_CONTROL (a
/// folder that brings the HSM its orders and records the calls it got).
#include "forward.h"
#include "special.h"

namespace faulthsm {
namespace {

CK_FUNCTION_LIST makeList() {
  CK_FUNCTION_LIST list{};
  list.version = {2, 40};
  list.C_GetFunctionList = C_GetFunctionList;
#define FAULT_HSM_ENTRY(name, traits, handles, made) list.name = FAULT_HSM_FORWARD(name)::call;
  FAULT_HSM_FUNCTIONS(FAULT_HSM_ENTRY)
#undef FAULT_HSM_ENTRY
  addLifeFunctions(list);
  addTokenFunctions(list);
  addObjectFunctions(list);
  addCipherFunctions(list);
  return list;
}

}  // namespace
}  // namespace faulthsm

extern "C" __attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
  static CK_FUNCTION_LIST functions = faulthsm::makeList();
  *list = &functions;
  return CKR_OK;
}
