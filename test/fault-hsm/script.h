/// \file Scripts: the faults that calls meet, one entry per line. docs/faults.md has the whole language.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control_page.h"
#include "delay.h"

namespace faulthsm {

/// A fault that a call meets.
enum class Action {
  kAnswer,        ///< `rv <code>`
  kLeaveOpen,     ///< `leave-open <code>`: this answer, but the operation stays open.
  kDelay,         ///< `delay <time>`
  kHang,          ///< `hang [code]`: until the script changes or calls are released.
  kTokenFlags,    ///< `flags <mask>`, of C_GetTokenInfo.
  kFlip,          ///< `flip`: one bit of its output is wrong.
  kShort,         ///< `short [n]`: lengths and counts are given as n (1) less.
  kLong,          ///< `long [n]`: lengths and counts are given as n (1) more.
  kHuge,          ///< `huge`: lengths and counts are given as 2^40.
  kZero,          ///< `zero`: handles are 0.
  kRepeat,        ///< `repeat [n]`: earlier output comes again.
  kEndless,       ///< `endless`, of C_FindObjects: there is always one more.
  kGrow,          ///< `grow`: a list is longer when it is read than when it was asked for.
  kPretend,       ///< `pretend`: CKR_OK, but nothing was done or written.
  kGarbage,       ///< `garbage`: the output has its length but makes no sense.
  kUnavailable,   ///< `unavailable`, of C_GetAttributeValue: attributes have no length.
  kEcho,          ///< `echo [n]`: ciphertext is plaintext; random bytes repeat every n.
  kNoTag,         ///< `no-tag`, of C_Decrypt: a ciphertext that it would refuse gives some plaintext.
  kNoContext,     ///< `no-context`, of C_EncryptInit, C_DecryptInit: the additional data is ignored.
  kPrevious,      ///< `previous`, of C_Encrypt, C_Decrypt: the output of the call before, if it is as long.
  kRotate,        ///< `rotate`: the first byte of their output comes last.
  kHeadless,      ///< `headless`: their output begins with its second block, and ends with garbage.
  kTagFirst,      ///< `tag-first`: their output begins with its last block.
  kLimit,         ///< `limit n`, of C_GenerateRandom: CKR_DATA_LEN_RANGE for more bytes.
  kWrongHandle,   ///< `wrong-handle`, of C_FindObjects: another object's handle.
  kNoObjects,     ///< `no-objects`, of C_FindObjects: none is found.
  kFew,           ///< `few n`, of C_FindObjects: no search finds more than n.
  kStaleHandle,   ///< `stale-handle`: the handles it uses are no longer valid.
  kRemove,        ///< `remove <how>`: the device becomes unavailable.
  kLoseSessions,  ///< `lose-sessions [code]`
  kLoseLogin,     ///< `lose-login`
  kRenumber,      ///< `renumber`: object handles change places.
  kDie,           ///< `die [n]`: the process is killed before the call, or n µs after it began.
  kDieAfter,      ///< `die-after`: it is killed when the real module has returned.
};

/// One line of a script.
struct Entry {
  /// A function's name, or `*`.
  std::string function;
  uint64_t after = 0;
  std::optional<uint64_t> times;
  double chance = 1;
  uint64_t seed = 0;
  /// Only calls about the key with this CKA_ID.
  std::optional<std::string> key;
  Action action = Action::kAnswer;
  /// A code, a mask or a way of removal; nothing if the line gave none.
  std::optional<uint64_t> value;
  std::optional<Delay> delay;
};

/// Returns the CKA_ID of a call's key, '' if it has none. Called only if an entry needs it.
using KeyOfCall = std::function<std::string()>;

/// The script's decision for one call.
struct Decision {
  Action action;
  std::optional<uint64_t> value;
  double delayMs = 0;
};

/// A script and how far it has been consumed, which all processes share.
class Script {
 public:
  /// Reads `script.<number>` of the folder; null if it is not there (the script has changed meanwhile).
  /// A line that is not understood makes every call answer CKR_FUNCTION_NOT_SUPPORTED: then no test passes.
  static std::shared_ptr<const Script> load(const std::string& folder, uint64_t number);

  ~Script();

  /// How long the call takes, whatever else happens to it.
  double latencyMs(FunctionNumber function) const;
  /// Consumes the first entry that applies; entries of this function go before those of `*`.
  std::optional<Decision> next(FunctionNumber function, const KeyOfCall& key) const;

 private:
  /// The progress of one line, in `progress.<number>`.
  struct Progress {
    Word drawn;
    Word met;
  };

  void mapProgress(const std::string& path);
  bool applies(size_t index) const;
  Decision decide(size_t index) const;

  std::vector<Entry> entries_;
  std::vector<Entry> latencies_;
  /// Rows of the entries, then rows of the latencies.
  Progress* progress_ = nullptr;
};

/// Parses one line; a `latency` line has the action kDelay. Nothing if it is not understood.
std::optional<Entry> parseEntry(const std::string& line);

}  // namespace faulthsm
