/// \file How the libraries of modules are loaded.
#pragma once

#include <dlfcn.h>

namespace holdfast {

/// RTLD_DEEPBIND binds the module to the libraries it was linked with: node exports an OpenSSL of its own,
/// and SoftHSM would run on a mixture of the two. The sanitizers' runtimes refuse the flag.
inline int libraryLoadFlags() {
  const bool sanitized =
      dlsym(RTLD_DEFAULT, "__asan_init") != nullptr || dlsym(RTLD_DEFAULT, "__tsan_init") != nullptr;
  return RTLD_NOW | RTLD_LOCAL | (sanitized ? 0 : RTLD_DEEPBIND);
}

}  // namespace holdfast
