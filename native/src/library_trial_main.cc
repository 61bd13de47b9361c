/// \file `library-trial LIBRARY`: loads a PKCS#11 library and asks it for its functions. A library that ends
/// its process ends only this one; see library_trial.h. Nothing is initialised.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include "cryptoki.h"
#include "library_trial_status.h"
#include "load_flags.h"

int main(int argumentCount, char** arguments) {
  if (argumentCount != 2) return 2;
  // This process must not outlive the one that waits for it, and leaves no core file.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  void* const handle = dlopen(arguments[1], holdfast::libraryLoadFlags());
  using GetFunctionList = CK_RV (*)(CK_FUNCTION_LIST**);
  const auto get =
      handle == nullptr ? nullptr : reinterpret_cast<GetFunctionList>(dlsym(handle, "C_GetFunctionList"));
  CK_FUNCTION_LIST* functions = nullptr;
  if (get != nullptr) get(&functions);
  // Skips the exit handlers of the library.
  ::_exit(holdfast::kLibraryTrialSurvived);
}
