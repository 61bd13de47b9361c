/// \file The memory that processes with the shim share with the test that controls them: the file `page` of
/// HOLDFAST_DISK_SHIM. `test/crash/disk-shim.ts` has the same layout.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace diskshim {

using Word = std::atomic<uint64_t>;
static_assert(sizeof(Word) == 8 && Word::is_always_lock_free);

/// Longer names are cut.
constexpr size_t kNameBytes = 112;
constexpr size_t kTraceRows = 8192;

/// What happens at a call. The numbers are those of `diskActions`.
enum Action : uint64_t { kNone, kDie, kDieAfter, kNoSpace };

/// One call. `number` is written last, so that a row with a number is whole.
struct TraceRow {
  Word number;
  uint64_t startNs;
  char name[kNameBytes];
};

struct Page {
  Word calls;  ///< Calls that returned or were killed.
  Word action;
  Word after;  ///< How many calls of the name go through first.
  Word times;  ///< How many calls after those meet the action.
  Word met;    ///< Calls of the name since the action was set.
  char name[kNameBytes];
  TraceRow trace[kTraceRows];
};

/// The page of this process's folder; nullptr without one.
Page* page();

/// Notes a call. \returns what is to happen at it
Action note(Page& page, const std::string& name);

/// Whether writes to the path count: only those below the folders of HOLDFAST_DISK_SHIM_PATHS do.
bool isWatched(const std::string& path);

/// The function and the file, without the parts of its name that differ from run to run: each becomes `*`.
std::string nameOf(const char* function, const std::string& path);

}  // namespace diskshim
