#include "control_page.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <new>

namespace faulthsm {
namespace {

void* mapFile(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return nullptr;
  void* mapped = nullptr;
  if (::ftruncate(file, sizeof(ControlPage)) == 0)
    mapped = ::mmap(nullptr, sizeof(ControlPage), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  return mapped == MAP_FAILED ? nullptr : mapped;
}

void* mapMemory() {
  void* const mapped =
      ::mmap(nullptr, sizeof(ControlPage), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  return mapped;
}

}  // namespace

ControlPage& mapControlPage(const std::string& folder) {
  void* mapped = folder.empty() ? nullptr : mapFile(folder + "/page");
  if (mapped == nullptr) mapped = mapMemory();
  auto& page = *static_cast<ControlPage*>(mapped);
  for (size_t i = 0; i < kFunctionCount; ++i) {
    const auto name = kFunctions[i].name;
    std::memcpy(page.counts[i].name, name.data(), name.size());
  }
  return page;
}

}  // namespace faulthsm
