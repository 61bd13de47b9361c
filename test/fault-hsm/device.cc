#include "device.h"

#include "chance.h"
#include "real_module.h"

namespace faulthsm {
namespace {

uint64_t hashOf(const std::string& pin) {
  uint64_t hash = pin.size();
  for (const char character : pin) hash = mix(hash ^ static_cast<unsigned char>(character));
  return hash;
}

bool comesBackOnlyAtStart(uint64_t removal) {
  return Removal(removal) == Removal::kSoftHsm || Removal(removal) == Removal::kNotInitialized;
}

}  // namespace

Device& device() {
  static auto* const one = new Device;
  return *one;
}

std::optional<CK_RV> Device::start() {
  const auto now = Removal(instance().setting(kRemoval));
  if (now == Removal::kNotInitialized) return CKR_DEVICE_ERROR;
  CK_FUNCTION_LIST* const real = loadRealModule();
  // The application took CKR_CRYPTOKI_NOT_INITIALIZED at its word.
  if (initialized_ && removal() == Removal::kNotInitialized) {
    real->C_Finalize(nullptr);
    stopped();
  }
  return std::nullopt;
}

void Device::started() {
  removals_ = instance().setting(kRemovals);
  renumberings_ = instance().setting(kRenumberings);
  slotShift_ = instance().setting(kSlotShift);
  startedWithout_ = Removal(instance().setting(kRemoval)) == Removal::kSoftHsm;
  objects_.begin(instance().setting(kRenumberAtStart) != 0);
  sessions_.begin();
  initialized_ = true;
}

void Device::stopped() {
  initialized_ = false;
  sessions_.end();
  const std::lock_guard lock(mutex_);
  logins_.clear();
}

void Device::obey(const Decision& decision) {
  if (decision.action == Action::kLoseSessions) {
    instance().set(kSessionLostRv, decision.value.value_or(0));
    instance().increase(kSessionsLost);
  }
  if (decision.action == Action::kLoseLogin) instance().increase(kLoginsLost);
  if (decision.action == Action::kRenumber) instance().increase(kRenumberings);
  if (decision.action != Action::kRemove) return;
  const uint64_t how = decision.value.value_or(0);
  instance().set(kLastRemoval, how);
  instance().set(kRemoval, how);
  instance().increase(kRemovals);
  if (Removal(how) != Removal::kDeviceRemoved) return;
  instance().increase(kSessionsLost);
  instance().increase(kLoginsLost);
}

std::optional<CK_RV> Device::refuse(FunctionNumber function, CK_ULONG first) {
  renumberIfTold();
  if (const auto answer = away(function)) return answer;
  if (has(function, kSession) && sessions_.isLost(first)) {
    // The real session must not outlive the lost one: the application thinks that there is nothing to close.
    sessions_.closed(first);
    loadRealModule()->C_CloseSession(first);
    const uint64_t told = instance().setting(kSessionLostRv);
    return told == 0 ? CKR_SESSION_HANDLE_INVALID : told;
  }
  const bool needsLogin = has(function, kUsesKey | kReadsObject | kMakesObject);
  if (needsLogin && lostLogin(first)) return CKR_USER_NOT_LOGGED_IN;
  if (has(function, kMakesObject) && instance().setting(kTokenFull) != 0) return CKR_DEVICE_MEMORY;
  return std::nullopt;
}

void Device::renumberIfTold() {
  uint64_t done = renumberings_.load();
  const uint64_t told = instance().setting(kRenumberings);
  if (done == told || !renumberings_.compare_exchange_strong(done, told)) return;
  for (uint64_t renumbered = done; renumbered < told; ++renumbered) objects_.rotate();
}

// ---- away ----

Removal Device::removal() const {
  const uint64_t now = instance().setting(kRemoval);
  if (now != 0) return Removal(now);
  const uint64_t last = instance().setting(kLastRemoval);
  const bool wasAway = instance().setting(kRemovals) != removals_;
  return wasAway && comesBackOnlyAtStart(last) ? Removal(last) : Removal::kPresent;
}

std::optional<CK_RV> Device::away(FunctionNumber function) const {
  const bool starts = function == kC_Initialize || function == kC_Finalize;
  const Removal how = removal();
  if (starts) return std::nullopt;
  if (startedWithout_ && has(function, kSlot)) return CKR_SLOT_ID_INVALID;
  if (how == Removal::kNotInitialized) return CKR_CRYPTOKI_NOT_INITIALIZED;
  if (has(function, kHost)) return std::nullopt;
  if (how == Removal::kDeviceRemoved) return CKR_DEVICE_REMOVED;
  if (how == Removal::kDeviceError) return CKR_DEVICE_ERROR;
  return how == Removal::kSoftHsm ? awayLikeSoftHsm(function) : std::nullopt;
}

std::optional<CK_RV> Device::awayLikeSoftHsm(FunctionNumber function) const {
  if (function == kC_GetTokenInfo || function == kC_Login) return CKR_GENERAL_ERROR;
  if (has(function, kMakesObject)) return CKR_GENERAL_ERROR;
  if (has(function, kUsesKey | kReadsObject)) return CKR_OBJECT_HANDLE_INVALID;
  return std::nullopt;
}

bool Device::hidesTokens() const { return startedWithout_ || removal() == Removal::kDeviceRemoved; }

bool Device::hidesObjects(CK_SESSION_HANDLE session) const {
  return removal() == Removal::kSoftHsm || lostLogin(session);
}

// ---- logins ----

bool Device::lostLogin(CK_SESSION_HANDLE session) const {
  const auto slot = sessions_.slotOf(session);
  const std::lock_guard lock(mutex_);
  const auto login = slot ? logins_.find(*slot) : logins_.end();
  return login != logins_.end() && login->second.loginsLost != instance().setting(kLoginsLost);
}

std::optional<CK_RV> Device::refuseLogin(CK_SESSION_HANDLE session, const std::string& pin) {
  const uint64_t limit = instance().setting(kPinLimit);
  if (limit != 0 && instance().setting(kWrongPins) >= limit) return CKR_PIN_LOCKED;
  if (!lostLogin(session)) return std::nullopt;
  // The real module is still logged in and would take any PIN for a second login.
  const std::lock_guard lock(mutex_);
  Login& login = logins_[sessions_.slotOf(session).value_or(0)];
  if (login.pin != hashOf(pin)) {
    instance().increase(kWrongPins);
    return CKR_PIN_INCORRECT;
  }
  instance().set(kWrongPins, 0);
  login.loginsLost = instance().setting(kLoginsLost);
  return CKR_OK;
}

void Device::loggedIn(CK_SESSION_HANDLE session, const std::string& pin, CK_RV rv) {
  if (rv == CKR_PIN_INCORRECT) instance().increase(kWrongPins);
  const auto slot = sessions_.slotOf(session);
  if (rv != CKR_OK || !slot) return;
  instance().set(kWrongPins, 0);
  Login login{hashOf(pin), instance().setting(kLoginsLost), CK_INVALID_HANDLE};
  loadRealModule()->C_OpenSession(*slot, CKF_SERIAL_SESSION, nullptr, nullptr, &login.anchor);
  const std::lock_guard lock(mutex_);
  logins_[*slot] = login;
}

void Device::loggedOut(CK_SLOT_ID slot) {
  CK_SESSION_HANDLE anchor = CK_INVALID_HANDLE;
  {
    const std::lock_guard lock(mutex_);
    const auto login = logins_.find(slot);
    if (login == logins_.end()) return;
    anchor = login->second.anchor;
    logins_.erase(login);
  }
  loadRealModule()->C_CloseSession(anchor);
}

void Device::sessionClosed(CK_SESSION_HANDLE session) {
  const auto slot = sessions_.slotOf(session);
  if (sessions_.closed(session)) loggedOut(*slot);
}

// ---- descriptions ----

bool Device::identifies() const { return instance().setting(kRenumberAtStart) != 0; }

void Device::describe(CK_TOKEN_INFO& info) const {
  const uint64_t limit = instance().setting(kPinLimit);
  const uint64_t wrong = instance().setting(kWrongPins);
  info.flags |= instance().setting(kTokenFlags);
  if (limit != 0 && wrong > 0) info.flags |= CKF_USER_PIN_COUNT_LOW;
  if (limit != 0 && wrong + 1 == limit) info.flags |= CKF_USER_PIN_FINAL_TRY;
  if (limit != 0 && wrong >= limit) info.flags |= CKF_USER_PIN_LOCKED;
  if (instance().setting(kTokenFull) != 0) info.ulFreePrivateMemory = info.ulFreePublicMemory = 0;
  const auto [sessions, rwSessions] = sessions_.totals();
  info.ulSessionCount = sessions;
  info.ulRwSessionCount = rwSessions;
  if (const uint64_t most = instance().setting(kSessionLimit); most != 0) info.ulMaxSessionCount = most;
  if (const uint64_t most = instance().setting(kRwSessionLimit); most != 0) info.ulMaxRwSessionCount = most;
}

void Device::describe(CK_SESSION_HANDLE session, CK_SESSION_INFO& info) const {
  info.slotID = shownSlot(info.slotID);
  if (!lostLogin(session)) return;
  const bool readWrite = (info.flags & CKF_RW_SESSION) != 0;
  info.state = readWrite ? CKS_RW_PUBLIC_SESSION : CKS_RO_PUBLIC_SESSION;
}

}  // namespace faulthsm
