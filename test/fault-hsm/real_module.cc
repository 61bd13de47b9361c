#include "real_module.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "load_flags.h"

namespace faulthsm {
namespace {

std::atomic<CK_FUNCTION_LIST*> chosen = nullptr;

/// The path of a loadable copy of the file. It stays open, since the loader knows libraries by their path.
std::string copyOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> content{std::istreambuf_iterator<char>(file), {}};
  const int copy = memfd_create("fault-hsm-real", MFD_CLOEXEC);
  for (size_t done = 0; copy >= 0 && done < content.size();) {
    const ssize_t written = ::write(copy, content.data() + done, content.size() - done);
    if (written <= 0) return path;
    done += static_cast<size_t>(written);
  }
  return "/proc/self/fd/" + std::to_string(copy);
}

CK_FUNCTION_LIST* load(const std::string& path, bool shared) {
  void* const handle = dlopen((shared ? path : copyOf(path)).c_str(), loadFlags());
  if (handle == nullptr) return nullptr;
  const auto get = reinterpret_cast<CK_RV (*)(CK_FUNCTION_LIST**)>(dlsym(handle, "C_GetFunctionList"));
  CK_FUNCTION_LIST* functions = nullptr;
  return get != nullptr && get(&functions) == CKR_OK ? functions : nullptr;
}

}  // namespace

bool chooseRealModule() {
  static std::mutex mutex;
  static std::map<std::string, CK_FUNCTION_LIST*> loaded;
  const char* const path = std::getenv("HOLDFAST_FAULT_MODULE");
  const std::lock_guard lock(mutex);
  if (path == nullptr) return false;
  auto& functions = loaded[path];
  if (functions == nullptr) functions = load(path, std::getenv("HOLDFAST_FAULT_MODULE_SHARED") != nullptr);
  chosen = functions;
  return functions != nullptr;
}

CK_FUNCTION_LIST* loadRealModule() { return chosen; }

}  // namespace faulthsm
