#include "page.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cctype>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <sstream>
#include <vector>

namespace diskshim {
namespace {

/// Process ids, dates and random ids are longer than this, and have digits.
constexpr size_t kShortestVariable = 5;

std::string environmentVariable(const char* name) {
  // Read once, before any thread of the process runs.
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return value == nullptr ? "" : value;
}

Page* mapped() {
  const std::string folder = environmentVariable("HOLDFAST_DISK_SHIM");
  if (folder.empty()) return nullptr;
  const int file = open((folder + "/page").c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return nullptr;
  void* memory = mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  return memory == MAP_FAILED ? nullptr : static_cast<Page*>(memory);
}

std::vector<std::string> watchedPaths() {
  std::vector<std::string> paths;
  std::istringstream list(environmentVariable("HOLDFAST_DISK_SHIM_PATHS"));
  for (std::string path; std::getline(list, path, ':');) paths.push_back(path);
  return paths;
}

bool isVariableCharacter(char character) {
  return std::isdigit(character) != 0 || (character >= 'a' && character <= 'f') || character == 'T' ||
         character == 'Z' || character == '-';
}

uint64_t nowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

Page* page() {
  static Page* const kPage = mapped();
  return kPage;
}

Action note(Page& page, const std::string& name) {
  const uint64_t number = page.calls.fetch_add(1) + 1;
  TraceRow& row = page.trace[(number - 1) % kTraceRows];
  row.number = 0;
  row.startNs = nowNs();
  std::strncpy(row.name, name.c_str(), kNameBytes - 1);
  row.number = number;
  if (page.action == kNone || std::strncmp(page.name, row.name, kNameBytes) != 0) return kNone;
  const uint64_t met = page.met.fetch_add(1);
  const bool isMeant = met >= page.after && met < page.after + page.times;
  return isMeant ? static_cast<Action>(page.action.load()) : kNone;
}

bool isWatched(const std::string& path) {
  static const std::vector<std::string> kPaths = watchedPaths();
  for (const std::string& watched : kPaths)
    if (path.compare(0, watched.size(), watched) == 0) return true;
  return false;
}

std::string nameOf(const char* function, const std::string& path) {
  std::string name = std::string(function) + " ";
  std::string run;
  bool hasDigit = false;
  const auto endRun = [&] {
    name += hasDigit && run.size() >= kShortestVariable ? "*" : run;
    run.clear();
    hasDigit = false;
  };
  for (const char character : path.substr(path.rfind('/') + 1)) {
    if (isVariableCharacter(character)) {
      run += character;
      hasDigit = hasDigit || std::isdigit(character) != 0;
      continue;
    }
    endRun();
    name += character;
  }
  endRun();
  return name.substr(0, kNameBytes - 1);
}

}  // namespace diskshim
