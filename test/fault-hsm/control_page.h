/// \file The memory that an HSM shares with the tests that control it: the file `page` of its folder.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "functions.h"

namespace faulthsm {

/// Numbers that change how the HSM behaves, at once and in every process. `test/native/fault-hsm.ts` has the
/// same order and meanings.
enum Setting : size_t {
  kScript,           ///< Number of the script in force (the file `script.<number>`); 0: none.
  kReleased,         ///< Changed: calls that hang go on, whatever the script says.
  kRemoval,          ///< Why the device is unavailable now (a `Removal`); 0: it is present.
  kRemovals,         ///< How often the device became unavailable.
  kLastRemoval,      ///< Why the device was last unavailable (a `Removal`).
  kSessionsLost,     ///< Changed: sessions opened before are lost.
  kSessionLostRv,    ///< The answer of lost sessions; 0: CKR_SESSION_HANDLE_INVALID.
  kLoginsLost,       ///< Changed: logins made before are lost.
  kRenumberings,     ///< Changed: object handles known by now change places.
  kRenumberAtStart,  ///< Not 0: handles change places at C_Initialize too.
  kSlotShift,        ///< Added to slot numbers from the next C_Initialize on.
  kTokenFull,        ///< Not 0: nothing new is made.
  kSessionLimit,     ///< Maximum number of sessions, over all processes; 0: no limit.
  kRwSessionLimit,   ///< Maximum number of read-write sessions; 0: no limit.
  kPinLimit,         ///< Wrong user PINs that lock the PIN; 0: never.
  kWrongPins,        ///< Wrong user PINs since the last right one.
  kTokenFlags,       ///< Added to CK_TOKEN_INFO.flags.
  kBuiltinCipher,    ///< Not 0: AES-GCM and random bytes come from the module itself (see builtin_cipher.h).
  kDiesToo,          ///< Not 0: the process that is killed before each one that a script kills.
  kSettingCount
};

using Word = std::atomic<uint64_t>;
static_assert(sizeof(Word) == 8 && Word::is_always_lock_free);

/// The calls of one function, across all processes. If a process dies inside one, `returned` lags behind for
/// good.
struct Counts {
  char name[40];
  Word entered;
  Word returned;
  /// Answers other than CKR_OK.
  Word failed;
  /// Total time of the calls.
  Word insideNs;
};

/// The sessions that one instance holds. `owner` is its process, or 0 if the row is free.
struct Census {
  Word owner;
  Word sessions;
  Word rwSessions;
  Word reserved;
};

/// One call that returned. Times are nanoseconds of CLOCK_MONOTONIC.
struct TraceEntry {
  /// The call's number, from 1; 0 while the row is being written.
  Word number;
  Word function;
  Word session;
  Word rv;
  Word startNs;
  Word endNs;
  Word processId;
  Word threadId;
};

constexpr size_t kSettingRoom = 64;
constexpr size_t kFunctionRoom = 96;
constexpr size_t kCensusRoom = 256;
constexpr size_t kTraceRoom = 4096;
static_assert(kSettingCount <= kSettingRoom && kFunctionCount <= kFunctionRoom);

/// The file's layout: 64-bit words in the machine's byte order. A test reads and writes them with `pread` and
/// `pwrite`.
struct ControlPage {
  Word settings[kSettingRoom];
  Counts counts[kFunctionRoom];
  Census census[kCensusRoom];
  Word calls;
  TraceEntry trace[kTraceRoom];
};

/// Maps the page of a folder, and makes it if it is missing. Without the folder, maps memory of this process
/// alone. The page is never unmapped: a call that hangs may come back at any time.
ControlPage& mapControlPage(const std::string& folder);

}  // namespace faulthsm
