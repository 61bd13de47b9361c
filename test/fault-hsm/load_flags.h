/// \file How a module in front of a real one loads the real one.
#pragma once

#include <dlfcn.h>

namespace faulthsm {

/// The flags that the addon uses too: node exports an OpenSSL of its own, and sanitizers refuse the flag that
/// keeps it out.
inline int loadFlags() {
  const bool sanitized =
      dlsym(RTLD_DEFAULT, "__asan_init") != nullptr || dlsym(RTLD_DEFAULT, "__tsan_init") != nullptr;
  return RTLD_NOW | RTLD_LOCAL | (sanitized ? 0 : RTLD_DEEPBIND);
}

}  // namespace faulthsm
