/// \file `lookForLeaks()` for JavaScript. LeakSanitizer looks by itself when a process exits; vitest ends its
/// workers with a signal.
#include <node_api.h>
#include <sanitizer/lsan_interface.h>

namespace {

napi_value lookForLeaks(napi_env env, napi_callback_info /*info*/) {
  napi_value found = nullptr;
  napi_get_boolean(env, __lsan_do_recoverable_leak_check() != 0, &found);
  return found;
}

}  // namespace

// The macro of Node-API wants a name at file scope.
static napi_value initializeAddon(napi_env env, napi_value exports) {
  napi_value function = nullptr;
  napi_create_function(env, "lookForLeaks", NAPI_AUTO_LENGTH, lookForLeaks, nullptr, &function);
  napi_set_named_property(env, exports, "lookForLeaks", function);
  return exports;
}

NAPI_MODULE(leak_check, initializeAddon)
