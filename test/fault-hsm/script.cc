#include "script.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <new>

#include "chance.h"

namespace faulthsm {
namespace {

/// The entry for a line that is not understood.
Entry refuseEverything() {
  Entry entry;
  entry.function = "*";
  entry.value = CKR_FUNCTION_NOT_SUPPORTED;
  return entry;
}

bool isFor(const Entry& entry, std::string_view name) { return entry.function == name; }

}  // namespace

std::shared_ptr<const Script> Script::load(const std::string& folder, uint64_t number) {
  std::ifstream file(folder + "/script." + std::to_string(number));
  if (!file) return nullptr;
  const auto script = std::make_shared<Script>();
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) continue;
    auto entry = parseEntry(line).value_or(refuseEverything());
    // Gives each line without a seed one of its own, so they draw different numbers.
    if (entry.seed == 0) entry.seed = script->entries_.size() + script->latencies_.size() + 1;
    auto& list = line.starts_with("latency ") && entry.delay ? script->latencies_ : script->entries_;
    list.push_back(std::move(entry));
  }
  script->mapProgress(folder + "/progress." + std::to_string(number));
  return script;
}

void Script::mapProgress(const std::string& path) {
  const size_t size = (entries_.size() + latencies_.size()) * sizeof(Progress);
  if (size == 0) return;
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const bool sized = file >= 0 && ::ftruncate(file, static_cast<off_t>(size)) == 0;
  // If the folder is gone (a test may have removed it), uses memory of its own. An exception would leave the
  // module through any function, even C_CloseSession in a destructor.
  const int sharing = sized ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
  void* const mapped = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, sharing, sized ? file : -1, 0);
  if (file >= 0) ::close(file);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  progress_ = static_cast<Progress*>(mapped);
}

Script::~Script() {
  if (progress_ != nullptr) ::munmap(progress_, (entries_.size() + latencies_.size()) * sizeof(Progress));
}

double Script::latencyMs(FunctionNumber function) const {
  double sum = 0;
  for (size_t i = 0; i < latencies_.size(); ++i) {
    const Entry& entry = latencies_[i];
    if (entry.function != "*" && !isFor(entry, kFunctions[function].name)) continue;
    sum += entry.delay->milliseconds(entry.seed, progress_[entries_.size() + i].met.fetch_add(1));
  }
  return sum;
}

bool Script::applies(size_t index) const {
  const Entry& entry = entries_[index];
  Progress& progress = progress_[index];
  if (entry.chance < 1 && uniform(entry.seed, progress.drawn.fetch_add(1)) >= entry.chance) return false;
  return !entry.times || progress.met.load() < entry.after + *entry.times;
}

Decision Script::decide(size_t index) const {
  const Entry& entry = entries_[index];
  Decision decision{entry.action, entry.value, 0};
  if (entry.delay) decision.delayMs = entry.delay->milliseconds(entry.seed, progress_[index].met.load());
  return decision;
}

std::optional<Decision> Script::next(FunctionNumber function, const KeyOfCall& key) const {
  std::optional<std::string> known;
  const auto isAbout = [&](const Entry& entry) {
    if (!entry.key) return true;
    if (!known) known = key();
    return *known == *entry.key;
  };
  for (const std::string_view name : {kFunctions[function].name, std::string_view("*")}) {
    for (size_t i = 0; i < entries_.size(); ++i) {
      if (!isFor(entries_[i], name) || !isAbout(entries_[i]) || !applies(i)) continue;
      const uint64_t met = progress_[i].met.fetch_add(1);
      // Calls before the n-th go through, and later lines of the function wait.
      if (met < entries_[i].after) break;
      // Another thread has used the last of its times.
      if (entries_[i].times && met >= entries_[i].after + *entries_[i].times) continue;
      return decide(i);
    }
  }
  return std::nullopt;
}

}  // namespace faulthsm
