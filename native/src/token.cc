#include "token.h"

#include <algorithm>

#include "failure.h"
#include "token_info.h"

namespace holdfast {
namespace {

bool matches(const TokenInfo& info, const TokenName& name) {
  return (!name.label || info.label == *name.label) &&
         (!name.serialNumber || info.serialNumber == *name.serialNumber);
}

std::string describe(const TokenName& name) {
  return name.label ? "label '" + *name.label + "'"
                    : "serial number '" + name.serialNumber.value_or("") + "'";
}

std::vector<CK_SLOT_ID> matchingSlots(const Module& module, const TokenName& name) {
  std::vector<CK_SLOT_ID> slots;
  for (const auto& info : Token::list(module)) {
    if (matches(info, name)) slots.push_back(info.slot);
  }
  return slots;
}

}  // namespace

Token::Token(std::shared_ptr<Module> module, CK_SLOT_ID slot) : module_(std::move(module)), slot_(slot) {
  serialNumber_ = readTokenInfo(functions(), slot_).serialNumber;
}

std::vector<TokenInfo> Token::list(const Module& module) {
  std::vector<TokenInfo> tokens;
  for (const CK_SLOT_ID slot : slotsWithToken(module.functions())) {
    try {
      tokens.push_back(readTokenInfo(module.functions(), slot));
    } catch (const Failure& failure) {
      // A reader whose card was just pulled must not hide its neighbours.
      if (failure.rv != CKR_TOKEN_NOT_PRESENT && failure.rv != CKR_TOKEN_NOT_RECOGNIZED) throw;
    }
  }
  return tokens;
}

std::shared_ptr<Token> Token::find(const std::shared_ptr<Module>& module, const TokenName& name) {
  auto slots = matchingSlots(*module, name);
  if (slots.empty() && module->reinitialize()) slots = matchingSlots(*module, name);
  if (slots.empty()) throw failure(FailureKind::kTokenMissing, "no slot has a token with " + describe(name));
  if (slots.size() > 1)
    throw failure(FailureKind::kTokenMissing, "more than one token has " + describe(name));
  return module->token(slots.front());
}

TokenInfo Token::info() const { return readTokenInfo(functions(), slot_); }

void Token::ensureAnchor() {
  CK_SESSION_INFO info{};
  if (anchor_ && functions().C_GetSessionInfo(anchor_->handle(), &info) == CKR_OK) return;
  // A dead anchor means that the token dropped this process's sessions, and with them its login.
  loggedIn_ = false;
  anchor_.reset();
  anchor_.emplace(*this);
}

void Token::login(const Secret& pin, Deadline deadline) {
  const std::lock_guard lock(loginMutex_);
  ensureAnchor();
  if (Clock::now() >= deadline)
    throw failure(FailureKind::kLaneDeadline, "the deadline passed before C_Login");
  ++logins_;
  const CK_RV rv = functions().C_Login(anchor_->handle(), CKU_USER, pointerFor(pin.view()), pin.size());
  if (rv == CKR_USER_ALREADY_LOGGED_IN && loggedIn_) return;
  check("C_Login", rv);
  loggedIn_ = true;
}

void Token::proveAlive(const Session& session) const {
  CK_TOKEN_INFO token{};
  const bool answers = functions().C_GetTokenInfo(slot_, &token) == CKR_OK;
  if (!answers || textOf(token.serialNumber) != serialNumber_)
    throw rvFailure("C_GetTokenInfo", CKR_DEVICE_REMOVED);
  CK_SESSION_INFO info{};
  check("C_GetSessionInfo", functions().C_GetSessionInfo(session.handle(), &info));
  const bool isUser = info.state == CKS_RO_USER_FUNCTIONS || info.state == CKS_RW_USER_FUNCTIONS;
  if (!isUser) throw rvFailure("C_GetSessionInfo", CKR_USER_NOT_LOGGED_IN);
}

}  // namespace holdfast
