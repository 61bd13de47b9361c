/// \file One token and the process's login to it (PKCS#11 v2.40 §5.5, §5.6).
#pragma once

#include <atomic>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "fingerprint.h"
#include "login_attempt.h"
#include "module.h"
#include "mutex.h"
#include "secret.h"
#include "session.h"
#include "timed_shared_mutex.h"

namespace holdfast {

/// `NativeTokenInfo` of src/hsm/native.ts.
struct TokenInfo {
  std::string libraryManufacturer;
  std::string libraryDescription;
  std::string libraryVersion;
  CK_SLOT_ID slot = 0;
  std::string label;
  std::string serialNumber;
  std::string manufacturer;
  std::string model;
  std::string firmwareVersion;
  CK_FLAGS flags = 0;
  /// In bytes; nothing if the token does not say.
  std::optional<CK_ULONG> minPinLength;
  std::optional<CK_ULONG> maxPinLength;
  std::optional<CK_ULONG> maxSessionCount;
  std::optional<CK_ULONG> maxRwSessionCount;
  std::optional<CK_ULONG> sessionCount;
  std::optional<CK_ULONG> rwSessionCount;
  std::vector<CK_MECHANISM_TYPE> mechanisms;
};

/// Names the wanted token: exactly one of the two is set. Slot numbers change, so they cannot name a token.
struct TokenName {
  std::optional<std::string> label;
  std::optional<std::string> serialNumber;
};

class SlotScan;

/// Keeps one session open while it lives, because a token logs out when the last one closes (§5.6,
/// C_CloseSession). This process logs out in no other way: C_Logout would end the login of every lane.
class Token {
 public:
  /// Made only by Module::token, because one slot of one instance has one login state.
  Token(std::shared_ptr<Module> module, const TokenInfo& info);

  /// Finds the token. If it is missing, finalises and initialises the module, looks again, and then fails
  /// with `token-missing`. A token that does not answer may be the wanted one: then its slot's failure is
  /// thrown instead. Two tokens of one name are an error too, because choosing one would be a guess. If the
  /// token is found, slots that hang are not waited for.
  [[nodiscard]] static std::shared_ptr<Token> find(const std::shared_ptr<Module>& module,
                                                   const TokenName& name, SlotScan scan, Deadline deadline);
  /// Every token that the module shows by the deadline.
  [[nodiscard]] static std::vector<TokenInfo> list(const std::shared_ptr<Module>& module, SlotScan scan,
                                                   Deadline deadline);

  CK_FUNCTION_LIST& functions() const {
    CallTime::note();
    return module_->functions();
  }
  CK_SLOT_ID slot() const { return slot_; }
  const std::string& serialNumber() const { return serialNumber_; }

  /// Calls C_GetTokenInfo and C_GetMechanismList now.
  /// @throws Failure CKR_DEVICE_REMOVED if the serial number has changed since the token was found
  [[nodiscard]] TokenInfo info() const;
  /// Calls `info`, and requires that the token still has this name.
  [[nodiscard]] TokenInfo infoAs(const TokenName& name) const;

  /// Calls C_Login, once. "Already logged in" is success only if this process logged in with the same PIN:
  /// the module says it for any PIN. After the deadline C_Login is not called: the attempt was already
  /// counted as failed, and a PIN is tried once (invariant 7).
  void login(const Secret& pin, Deadline deadline,
             const std::shared_ptr<LoginAttempt>& attempt = std::make_shared<LoginAttempt>());
  /// How often C_Login was called.
  uint64_t logins() const { return logins_.load(); }

  /// Whether the token still has the session of its login. If not, it has dropped all open sessions, and
  /// object handles may stand for other objects.
  [[nodiscard]] bool keepsSessions() const;
  /// Replaces the login's session if the token has dropped it, provided that `session`, which was opened
  /// since, is logged in. Otherwise the token would log out when a lane changes its session.
  void keepLogin(const Session& session);

  /// Throws unless the token knows the session and says that it is logged in.
  void proveSession(const Session& session) const;

  /// Throws unless the token answers and the session is logged in. Until then "0 objects found", or any other
  /// empty answer, means nothing (invariant 4).
  void proveAlive(const Session& session) const;

  /// Whether the slot still holds this token: slot numbers change.
  [[nodiscard]] bool isInItsSlot() const;

  /// Notes a session that was opened. False if a living session of ours has this number: the token has
  /// dropped that session and numbers its sessions from the start, so its old object handles mean nothing
  /// either.
  [[nodiscard]] bool noteSession(CK_SESSION_HANDLE session) const;
  void forgetSession(CK_SESSION_HANDLE session) const;

  /// The most bytes that C_GenerateRandom gives in one call, as far as known.
  std::atomic<size_t>& longestDraw() { return longestDraw_; }

  /// Locked exclusively to make and destroy objects, and shared to find them: SoftHSM 2.6.1 answers
  /// CKR_GENERAL_ERROR when the two race (its issue 573).
  TimedSharedMutex& objects() { return objects_; }

 private:
  class LoginTurn;
  /// The session that keeps the login alive, or a new one if that one is dead.
  [[nodiscard]] std::shared_ptr<Session> livingAnchor();
  void install(std::shared_ptr<Session> anchor);
  /// Calls C_GetSessionInfo. Throws if the session is of another slot, whose objects are not this token's.
  [[nodiscard]] CK_SESSION_INFO readSession(const Session& session) const;
  [[nodiscard]] bool isPresentWithRetry() const;

  const std::shared_ptr<Module> module_;
  const CK_SLOT_ID slot_;
  // Declared before the anchor, whose destructor uses it.
  mutable Mutex sessionsMutex_;
  mutable std::set<CK_SESSION_HANDLE> sessions_ GUARDED_BY(sessionsMutex_);
  Mutex loginMutex_;
  Condition loginEnded_;
  /// The login in progress. One that was given up blocks no other.
  std::shared_ptr<LoginAttempt> loginUnderWay_ GUARDED_BY(loginMutex_);
  std::shared_ptr<Session> anchor_ GUARDED_BY(loginMutex_);
  /// The handle of the anchor, for lanes that check whether it lives.
  std::atomic<CK_SESSION_HANDLE> anchorHandle_ = CK_INVALID_HANDLE;
  /// The fingerprint of the PIN that logged in. Only the login in progress touches it.
  std::optional<Fingerprint> loggedInWith_;
  std::atomic<uint64_t> logins_ = 0;
  std::atomic<size_t> longestDraw_ = std::numeric_limits<size_t>::max();
  const std::string serialNumber_;
  TimedSharedMutex objects_;
};

}  // namespace holdfast
