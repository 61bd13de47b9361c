/// \file The sessions that an application holds, counted over all its processes.
#pragma once

#include <mutex>
#include <optional>
#include <unordered_map>

#include "instance.h"

namespace faulthsm {

/// Sessions of one instance. All members may be called from any thread.
class Sessions {
 public:
  /// Takes a row, held from C_Initialize to C_Finalize.
  void begin();
  void end();

  /// Reserves room for a session before it is opened. False if the token's limits are reached.
  bool reserve(bool readWrite);
  void cancel(bool readWrite);
  void opened(CK_SESSION_HANDLE session, CK_SLOT_ID slot, bool readWrite);
  /// @returns whether it was the last of the slot's sessions that are not lost
  bool closed(CK_SESSION_HANDLE session);
  void allClosed(CK_SLOT_ID slot);

  bool isLost(CK_SESSION_HANDLE session) const;
  std::optional<CK_SLOT_ID> slotOf(CK_SESSION_HANDLE session) const;

  /// The sessions of all living processes.
  struct Totals {
    uint64_t sessions = 0;
    uint64_t rwSessions = 0;
  };
  Totals totals() const;

 private:
  struct Session {
    CK_SLOT_ID slot;
    bool readWrite;
    uint64_t sessionsLost;
  };

  void count(bool readWrite, uint64_t change);
  bool hasLiveOn(CK_SLOT_ID slot) const;

  mutable std::mutex mutex_;
  std::unordered_map<CK_SESSION_HANDLE, Session> sessions_;
  Census* row_ = nullptr;
};

}  // namespace faulthsm
