#include "token.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "failure.h"
#include "return_values.h"
#include "slot_scan.h"
#include "token_info.h"

namespace holdfast {
namespace {

/// How often a token that does not answer C_GetTokenInfo is asked, and at what interval.
constexpr int kLooks = 5;
constexpr auto kPauseBetweenLooks = std::chrono::milliseconds(10);

/// Listing the tokens keeps this share of its time for reporting what was found.
constexpr int kReportShare = 8;

bool matches(const TokenInfo& info, const TokenName& name) {
  return (!name.label || info.label == *name.label) &&
         (!name.serialNumber || info.serialNumber == *name.serialNumber);
}

std::string describe(const TokenName& name) {
  return name.label ? "label '" + *name.label + "'"
                    : "serial number '" + name.serialNumber.value_or("") + "'";
}

/// Another token is in the slot, so the wanted one was pulled out.
[[nodiscard]] Failure anotherToken() {
  Failure failure = rvFailure(Function::C_GetTokenInfo, CKR_DEVICE_REMOVED);
  failure.detail = "the slot now holds another token";
  return failure;
}

struct Matches {
  std::vector<TokenInfo> tokens;
  /// The failure of a slot that may hold the wanted token, but whose token does not answer.
  std::optional<Failure> failure;
};

Matches matching(SlotScan& scan, const std::shared_ptr<Module>& module, const TokenName& name,
                 Deadline deadline) {
  const auto isWanted = [&name](const TokenInfo& info) { return matches(info, name); };
  const auto isEnough = [&isWanted](const auto& tokens) { return std::ranges::any_of(tokens, isWanted); };
  auto listing = scan.read(module, isEnough, deadline);
  std::erase_if(listing.tokens, [&isWanted](const auto& info) { return !isWanted(info); });
  return {std::move(listing.tokens), std::move(listing.failure)};
}

}  // namespace

Token::Token(std::shared_ptr<Module> module, const TokenInfo& info)
    : module_(std::move(module)), slot_(info.slot), serialNumber_(info.serialNumber) {}

std::vector<TokenInfo> Token::list(const std::shared_ptr<Module>& module, SlotScan scan, Deadline deadline) {
  const auto never = [](const auto& /*tokens*/) { return false; };
  // Ends before the deadline, which leaves time to name the slot that does not answer.
  auto listing = scan.read(module, never, deadline - (deadline - Clock::now()) / kReportShare);
  const bool isHung = listing.failure && listing.failure->kind == FailureKind::kLaneDeadline;
  if (listing.failure && (listing.tokens.empty() || isHung)) throw Failure(*listing.failure);
  return std::move(listing.tokens);
}

std::shared_ptr<Token> Token::find(const std::shared_ptr<Module>& module, const TokenName& name,
                                   SlotScan scan, Deadline deadline) {
  auto found = matching(scan, module, name, deadline);
  if (found.tokens.empty() && module->reinitialize(deadline)) found = matching(scan, module, name, deadline);
  const auto& tokens = found.tokens;
  if (tokens.empty() && found.failure) throw Failure(*found.failure);
  if (tokens.empty()) throw failure(FailureKind::kTokenMissing, "no slot has a token with " + describe(name));
  if (tokens.size() > 1)
    throw failure(FailureKind::kTokenMissing, "more than one token has " + describe(name));
  return module->token(tokens.front());
}

TokenInfo Token::info() const {
  auto info = readTokenInfo(functions(), slot_);
  if (info.serialNumber != serialNumber_) throw anotherToken();
  return info;
}

TokenInfo Token::infoAs(const TokenName& name) const {
  auto info = this->info();
  if (!matches(info, name)) throw anotherToken();
  return info;
}

bool Token::keepsSessions() const {
  CK_SESSION_INFO info{};
  return functions().C_GetSessionInfo(anchorHandle_.load(), &info) == CKR_OK;
}

/// Allows one login at a time. A login waits for its turn until its deadline at most.
class Token::LoginTurn {
 public:
  LoginTurn(Token& token, const std::shared_ptr<LoginAttempt>& attempt, Deadline deadline)
      : token_(token), attempt_(attempt) {
    MutexLock lock(token_.loginMutex_);
    const auto isFree = [this]() REQUIRES(token_.loginMutex_) {
      return !token_.loginUnderWay_ || token_.loginUnderWay_->isGivenUp();
    };
    if (!token_.loginEnded_.waitUntil(lock, deadline, isFree))
      throw failure(FailureKind::kLaneDeadline, "another login to the token is under way");
    token_.loginUnderWay_ = attempt_;
  }
  LoginTurn(const LoginTurn&) = delete;
  LoginTurn& operator=(const LoginTurn&) = delete;
  ~LoginTurn() {
    const MutexLock lock(token_.loginMutex_);
    if (token_.loginUnderWay_ != attempt_) return;
    token_.loginUnderWay_.reset();
    token_.loginEnded_.notifyAll();
  }

 private:
  Token& token_;
  const std::shared_ptr<LoginAttempt>& attempt_;
};

std::shared_ptr<Session> Token::livingAnchor() {
  std::shared_ptr<Session> known;
  {
    const MutexLock lock(loginMutex_);
    known = anchor_;
  }
  if (known && keepsSessions()) return known;
  // A dead anchor means that the token dropped this process's sessions, and its login with them. It is
  // destroyed first, because the token may give its number to the next session.
  if (known) {
    const MutexLock lock(loginMutex_);
    if (anchor_ == known) anchor_.reset();
  }
  known.reset();
  return std::make_shared<Session>(*this);
}

void Token::keepLogin(const Session& session) {
  // Another lane may have replaced the anchor.
  if (keepsSessions()) return;
  std::shared_ptr<Session> dead;
  {
    const MutexLock lock(loginMutex_);
    // A login in progress brings its own anchor.
    if (loginUnderWay_) return;
    // The old one is destroyed first, as in livingAnchor.
    dead = std::exchange(anchor_, nullptr);
    anchorHandle_ = CK_INVALID_HANDLE;
  }
  dead.reset();
  try {
    proveSession(session);
    const auto fresh = std::make_shared<Session>(*this);
    const MutexLock lock(loginMutex_);
    if (loginUnderWay_ || anchor_) return;
    anchor_ = fresh;
    anchorHandle_ = fresh->handle();
  } catch (const Failure&) {
    // The next login opens an anchor.
  }
}

void Token::install(std::shared_ptr<Session> anchor) {
  const MutexLock lock(loginMutex_);
  if (anchor == anchor_) return;
  anchor_ = std::move(anchor);
  anchorHandle_ = anchor_->handle();
  loggedInWith_.reset();
}

void Token::login(const Secret& pin, Deadline deadline, const std::shared_ptr<LoginAttempt>& attempt) {
  const LoginTurn turn(*this, attempt, deadline);
  const auto anchor = livingAnchor();
  // The attempt is recorded for the token that was found, not for one that has taken its slot since.
  if (!isPresentWithRetry()) throw anotherToken();
  static_cast<void>(readSession(*anchor));
  // From here on no other thread installs a login, or tries the PIN, before this one is done.
  if (Clock::now() >= deadline || !attempt->begin())
    throw failure(FailureKind::kLaneDeadline, "the deadline passed before C_Login");
  install(anchor);
  const Fingerprint credential(pin.view());
  ++logins_;
  const CK_RV rv = functions().C_Login(anchor->handle(), CKU_USER, pointerFor(pin.view()), pin.size());
  if (returnValue(rv).alreadyLoggedIn && loggedInWith_ == credential) return;
  check(Function::C_Login, rv);
  loggedInWith_ = credential;
}

bool Token::isInItsSlot() const {
  CK_TOKEN_INFO token{};
  return functions().C_GetTokenInfo(slot_, &token) == CKR_OK && textOf(token.serialNumber) == serialNumber_;
}

CK_SESSION_INFO Token::readSession(const Session& session) const {
  CK_SESSION_INFO info{};
  info.state = CK_UNAVAILABLE_INFORMATION;
  check(Function::C_GetSessionInfo, functions().C_GetSessionInfo(session.handle(), &info));
  if (info.state > CKS_RW_SO_FUNCTIONS)
    throw badOutput(Function::C_GetSessionInfo, "the standard has no such session state");
  if (info.slotID != slot_)
    throw badOutput(Function::C_GetSessionInfo, "the session belongs to another slot");
  return info;
}

bool Token::noteSession(CK_SESSION_HANDLE session) const {
  const MutexLock lock(sessionsMutex_);
  return sessions_.insert(session).second;
}

void Token::forgetSession(CK_SESSION_HANDLE session) const {
  const MutexLock lock(sessionsMutex_);
  sessions_.erase(session);
}

/// Looks several times: while another process logs in, SoftHSM 2.6.1 rewrites the token's file, and
/// C_GetTokenInfo may fail.
bool Token::isPresentWithRetry() const {
  for (int look = 1; look < kLooks; ++look) {
    if (isInItsSlot()) return true;
    std::this_thread::sleep_for(kPauseBetweenLooks);
  }
  return isInItsSlot();
}

void Token::proveAlive(const Session& session) const {
  if (!isPresentWithRetry()) throw rvFailure(Function::C_GetTokenInfo, CKR_DEVICE_REMOVED);
  proveSession(session);
}

void Token::proveSession(const Session& session) const {
  const auto info = readSession(session);
  const bool isUser = info.state == CKS_RO_USER_FUNCTIONS || info.state == CKS_RW_USER_FUNCTIONS;
  if (!isUser) throw rvFailure(Function::C_GetSessionInfo, CKR_USER_NOT_LOGGED_IN);
}

}  // namespace holdfast
