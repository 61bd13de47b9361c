#include "token.h"

#include <algorithm>
#include <thread>

#include "failure.h"
#include "token_info.h"

namespace holdfast {
namespace {

/// How often, and how far apart, a token is looked for that does not answer C_GetTokenInfo.
constexpr int kLooks = 5;
constexpr auto kPauseBetweenLooks = std::chrono::milliseconds(10);

bool matches(const TokenInfo& info, const TokenName& name) {
  return (!name.label || info.label == *name.label) &&
         (!name.serialNumber || info.serialNumber == *name.serialNumber);
}

std::string describe(const TokenName& name) {
  return name.label ? "label '" + *name.label + "'"
                    : "serial number '" + name.serialNumber.value_or("") + "'";
}

Failure inSlot(Failure failure, CK_SLOT_ID slot) {
  failure.detail = "the token in slot " + std::to_string(slot) + " does not answer";
  return failure;
}

struct Listing {
  std::vector<TokenInfo> tokens;
  /// Of a slot whose token does not answer.
  std::optional<Failure> failure;
};

/// A token that does not answer must not hide its neighbours.
Listing listSlots(const Module& module) {
  Listing listing;
  for (const CK_SLOT_ID slot : slotsWithToken(module.functions())) {
    try {
      listing.tokens.push_back(readTokenInfo(module.functions(), slot));
    } catch (const Failure& failure) {
      if (failure.rv == CKR_CRYPTOKI_NOT_INITIALIZED) throw;
      // The card was pulled just now.
      if (failure.rv != CKR_TOKEN_NOT_PRESENT && failure.rv != CKR_TOKEN_NOT_RECOGNIZED)
        listing.failure = inSlot(failure, slot);
    }
  }
  return listing;
}

struct Matches {
  std::vector<CK_SLOT_ID> slots;
  /// Of a slot that may hold what is looked for: its token does not answer.
  std::optional<Failure> failure;
};

Matches matchingSlots(const Module& module, const TokenName& name) {
  auto listing = listSlots(module);
  Matches found{{}, std::move(listing.failure)};
  for (const auto& info : listing.tokens) {
    if (matches(info, name)) found.slots.push_back(info.slot);
  }
  return found;
}

}  // namespace

Token::Token(std::shared_ptr<Module> module, CK_SLOT_ID slot) : module_(std::move(module)), slot_(slot) {
  serialNumber_ = readTokenInfo(functions(), slot_).serialNumber;
}

std::vector<TokenInfo> Token::list(const Module& module) {
  auto listing = listSlots(module);
  if (listing.tokens.empty() && listing.failure) throw Failure(*listing.failure);
  return std::move(listing.tokens);
}

std::shared_ptr<Token> Token::find(const std::shared_ptr<Module>& module, const TokenName& name,
                                   Deadline deadline) {
  auto found = matchingSlots(*module, name);
  if (found.slots.empty() && module->reinitialize(deadline)) found = matchingSlots(*module, name);
  const auto& slots = found.slots;
  if (slots.empty() && found.failure) throw Failure(*found.failure);
  if (slots.empty()) throw failure(FailureKind::kTokenMissing, "no slot has a token with " + describe(name));
  if (slots.size() > 1)
    throw failure(FailureKind::kTokenMissing, "more than one token has " + describe(name));
  return module->token(slots.front());
}

TokenInfo Token::info() const { return readTokenInfo(functions(), slot_); }

bool Token::keepsSessions() const {
  CK_SESSION_INFO info{};
  return functions().C_GetSessionInfo(anchorHandle_.load(), &info) == CKR_OK;
}

void Token::ensureAnchor() {
  if (anchor_ && keepsSessions()) return;
  // A dead anchor means that the token dropped this process's sessions, and with them its login.
  loggedInWith_.reset();
  anchor_.reset();
  anchor_.emplace(*this);
  anchorHandle_ = anchor_->handle();
}

void Token::login(const Secret& pin, Deadline deadline) {
  const auto passage = loginTurn_.exclusive(deadline);
  if (!passage) throw failure(FailureKind::kLaneDeadline, "another login to the token is under way");
  ensureAnchor();
  if (Clock::now() >= deadline)
    throw failure(FailureKind::kLaneDeadline, "the deadline passed before C_Login");
  const Fingerprint credential(pin.view());
  ++logins_;
  const CK_RV rv = functions().C_Login(anchor_->handle(), CKU_USER, pointerFor(pin.view()), pin.size());
  if (rv == CKR_USER_ALREADY_LOGGED_IN && loggedInWith_ == credential) return;
  check("C_Login", rv);
  loggedInWith_ = credential;
}

bool Token::isInItsSlot() const {
  CK_TOKEN_INFO token{};
  return functions().C_GetTokenInfo(slot_, &token) == CKR_OK && textOf(token.serialNumber) == serialNumber_;
}

bool Token::noteSession(CK_SESSION_HANDLE session) const {
  const std::lock_guard lock(sessionsMutex_);
  return sessions_.insert(session).second;
}

void Token::forgetSession(CK_SESSION_HANDLE session) const {
  const std::lock_guard lock(sessionsMutex_);
  sessions_.erase(session);
}

/// While another process logs in, SoftHSM 2.6.1 rewrites the file of the token, and C_GetTokenInfo may fail.
bool Token::isInItsSlotBeforeLong() const {
  for (int look = 1; look < kLooks; ++look) {
    if (isInItsSlot()) return true;
    std::this_thread::sleep_for(kPauseBetweenLooks);
  }
  return isInItsSlot();
}

void Token::proveAlive(const Session& session) const {
  if (!isInItsSlotBeforeLong()) throw rvFailure("C_GetTokenInfo", CKR_DEVICE_REMOVED);
  proveSession(session);
}

void Token::proveSession(const Session& session) const {
  CK_SESSION_INFO info{};
  info.state = CK_UNAVAILABLE_INFORMATION;
  check("C_GetSessionInfo", functions().C_GetSessionInfo(session.handle(), &info));
  if (info.state > CKS_RW_SO_FUNCTIONS) throw badOutput("C_GetSessionInfo", "there is no such session state");
  const bool isUser = info.state == CKS_RO_USER_FUNCTIONS || info.state == CKS_RW_USER_FUNCTIONS;
  if (!isUser) throw rvFailure("C_GetSessionInfo", CKR_USER_NOT_LOGGED_IN);
}

}  // namespace holdfast
