/// \file Faults of the HSM as a whole: it is unavailable, full or out of sessions, has lost a login, or has
/// locked its PIN.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "instance.h"
#include "objects.h"
#include "sessions.h"

namespace faulthsm {

/// The ways in which a device can be unavailable.
enum class Removal : uint64_t {
  kPresent,
  /// Pulled out: CKR_DEVICE_REMOVED; its sessions and logins are lost when it comes back.
  kDeviceRemoved,
  /// Cannot be reached: CKR_DEVICE_ERROR; its sessions and logins still exist when it comes back.
  kDeviceError,
  /// As SoftHSM 2.6.1 behaves without its folder (measured): sessions open, searches find nothing, keys are
  /// invalid, until C_Finalize and C_Initialize are called after it is back.
  kSoftHsm,
  /// The client library lost it for good: CKR_CRYPTOKI_NOT_INITIALIZED, until C_Initialize is called after it
  /// is back.
  kNotInitialized,
};

/// The HSM as an application sees it in this instance. All members may be called from any thread.
class Device {
 public:
  /// Called before C_Initialize is forwarded. A value is the answer to give instead.
  std::optional<CK_RV> start();
  void started();
  /// Called before C_Finalize is forwarded.
  void stopped();

  /// Carries out an order that the script gives to the whole device.
  void obey(const Decision& decision);
  /// The device's answer in place of the call, or nothing. `first` is the call's session or slot.
  std::optional<CK_RV> refuse(FunctionNumber function, CK_ULONG first);

  CK_SLOT_ID realSlot(CK_SLOT_ID shown) const { return shown - slotShift_; }
  CK_SLOT_ID shownSlot(CK_SLOT_ID real) const { return real + slotShift_; }
  bool pretendsNotInitialized() const { return removal() == Removal::kNotInitialized; }
  bool isAwayLikeSoftHsm() const { return removal() == Removal::kSoftHsm; }
  /// Whether every slot seems empty.
  bool hidesTokens() const;
  /// Whether searches find nothing, whatever the real module says.
  bool hidesObjects(CK_SESSION_HANDLE session) const;
  /// Changes the flags and limits that C_GetTokenInfo reports.
  void describe(CK_TOKEN_INFO& info) const;
  /// Changes the slot and state that C_GetSessionInfo reports.
  void describe(CK_SESSION_HANDLE session, CK_SESSION_INFO& info) const;

  /// The answer to C_Login if the real module is not to be asked; otherwise nothing.
  std::optional<CK_RV> refuseLogin(CK_SESSION_HANDLE session, const std::string& pin);
  void loggedIn(CK_SESSION_HANDLE session, const std::string& pin, CK_RV rv);
  void loggedOut(CK_SLOT_ID slot);
  void sessionClosed(CK_SESSION_HANDLE session);

  Sessions& sessions() { return sessions_; }
  Objects& objects() { return objects_; }
  /// Whether objects must be known by class and CKA_ID.
  bool identifies() const;

 private:
  /// The login of one slot.
  struct Login {
    /// Hash of the PIN, to recognise it.
    uint64_t pin = 0;
    uint64_t loginsLost = 0;
    /// Keeps the real login alive while the application's sessions are lost.
    CK_SESSION_HANDLE anchor = CK_INVALID_HANDLE;
  };

  Removal removal() const;
  std::optional<CK_RV> away(FunctionNumber function) const;
  std::optional<CK_RV> awayLikeSoftHsm(FunctionNumber function) const;
  bool lostLogin(CK_SESSION_HANDLE session) const;
  void renumberIfTold();

  mutable std::mutex mutex_;
  Sessions sessions_;
  Objects objects_;
  std::map<CK_SLOT_ID, Login> logins_;
  std::atomic<uint64_t> removals_ = 0;
  std::atomic<uint64_t> renumberings_ = 0;
  std::atomic<uint64_t> slotShift_ = 0;
  std::atomic<bool> startedWithout_ = false;
  std::atomic<bool> initialized_ = false;
};

/// The one device of this copy of the library.
Device& device();

}  // namespace faulthsm
