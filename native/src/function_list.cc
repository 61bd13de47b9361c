#include "function_list.h"

#include <string>

#include "failure.h"

namespace holdfast {
namespace {

/// A module without it serves; only its PIN cannot be changed (`token_pin_main.cc`).
bool isNeededToServe(Function function) { return function != Function::C_SetPIN; }

template <typename Pointer>
void require(Pointer pointer, Function function) {
  if (pointer != nullptr || !isNeededToServe(function)) return;
  throw failure(FailureKind::kModule,
                std::string("the module's list of functions has no ") + nameOf(function));
}

}  // namespace

CK_FUNCTION_LIST* requireFunctionList(CK_RV rv, CK_FUNCTION_LIST* functions) {
  check(Function::C_GetFunctionList, rv);
  if (functions == nullptr)
    throw failure(FailureKind::kModule, "C_GetFunctionList gave no list of functions");
  require(functions->C_Initialize, Function::C_Initialize);
  return functions;
}

void requireFunctions(const CK_FUNCTION_LIST& functions) {
#define HOLDFAST_REQUIRE(name) require(functions.name, Function::name);
  HOLDFAST_CALLED_FUNCTIONS(HOLDFAST_REQUIRE)
#undef HOLDFAST_REQUIRE
}

}  // namespace holdfast
