#include "sessions.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace faulthsm {
namespace {

bool isAlive(uint64_t processId) { return ::kill(static_cast<pid_t>(processId), 0) == 0 || errno != ESRCH; }

/// A row that is free, or whose process has died.
Census* claimRow(ControlPage& page) {
  const auto mine = static_cast<uint64_t>(::getpid());
  for (Census& row : page.census) {
    uint64_t owner = row.owner.load();
    if (owner != 0 && isAlive(owner)) continue;
    if (!row.owner.compare_exchange_strong(owner, mine)) continue;
    row.sessions = 0;
    row.rwSessions = 0;
    return &row;
  }
  return nullptr;
}

bool isOver(uint64_t count, uint64_t limit) { return limit != 0 && count > limit; }

}  // namespace

void Sessions::begin() {
  const std::lock_guard lock(mutex_);
  row_ = claimRow(instance().page());
}

void Sessions::end() {
  const std::lock_guard lock(mutex_);
  sessions_.clear();
  if (row_ != nullptr) row_->owner = 0;
  row_ = nullptr;
}

void Sessions::count(bool readWrite, uint64_t change) {
  if (row_ == nullptr) return;
  row_->sessions.fetch_add(change);
  if (readWrite) row_->rwSessions.fetch_add(change);
}

bool Sessions::reserve(bool readWrite) {
  const std::lock_guard lock(mutex_);
  // Counted before it is compared: if two processes race, the limit may refuse one too many, never too few.
  count(readWrite, 1);
  const auto [sessions, rwSessions] = totals();
  const bool over = isOver(sessions, instance().setting(kSessionLimit)) ||
                    (readWrite && isOver(rwSessions, instance().setting(kRwSessionLimit)));
  if (over) count(readWrite, uint64_t(-1));
  return !over;
}

void Sessions::cancel(bool readWrite) {
  const std::lock_guard lock(mutex_);
  count(readWrite, uint64_t(-1));
}

void Sessions::opened(CK_SESSION_HANDLE session, CK_SLOT_ID slot, bool readWrite) {
  const std::lock_guard lock(mutex_);
  sessions_[session] = {slot, readWrite, instance().setting(kSessionsLost)};
}

bool Sessions::closed(CK_SESSION_HANDLE session) {
  const std::lock_guard lock(mutex_);
  const auto known = sessions_.find(session);
  if (known == sessions_.end()) return false;
  const auto [slot, readWrite, sessionsLost] = known->second;
  sessions_.erase(known);
  count(readWrite, uint64_t(-1));
  return sessionsLost == instance().setting(kSessionsLost) && !hasLiveOn(slot);
}

void Sessions::allClosed(CK_SLOT_ID slot) {
  const std::lock_guard lock(mutex_);
  std::erase_if(sessions_, [&](const auto& entry) {
    if (entry.second.slot != slot) return false;
    count(entry.second.readWrite, uint64_t(-1));
    return true;
  });
}

bool Sessions::hasLiveOn(CK_SLOT_ID slot) const {
  const uint64_t lost = instance().setting(kSessionsLost);
  return std::ranges::any_of(sessions_, [slot, lost](const auto& entry) {
    return entry.second.slot == slot && entry.second.sessionsLost == lost;
  });
}

bool Sessions::isLost(CK_SESSION_HANDLE session) const {
  const std::lock_guard lock(mutex_);
  const auto known = sessions_.find(session);
  return known != sessions_.end() && known->second.sessionsLost != instance().setting(kSessionsLost);
}

std::optional<CK_SLOT_ID> Sessions::slotOf(CK_SESSION_HANDLE session) const {
  const std::lock_guard lock(mutex_);
  const auto known = sessions_.find(session);
  return known == sessions_.end() ? std::nullopt : std::optional(known->second.slot);
}

Sessions::Totals Sessions::totals() const {
  Totals totals;
  for (const Census& row : instance().page().census) {
    const uint64_t owner = row.owner.load();
    if (owner == 0 || !isAlive(owner)) continue;
    totals.sessions += row.sessions.load();
    totals.rwSessions += row.rwSessions.load();
  }
  return totals;
}

}  // namespace faulthsm
