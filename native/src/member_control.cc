#include "member_control.h"

#include <utility>

namespace holdfast {
namespace {

/// The most control operations that may be inside one member at a time: hanging ones must not use up the
/// threads.
constexpr int kMaxTokenHolders = 8;

bool hasNoThreadInside(const Member& member) REQUIRES(poolState) {
  return member.lanes.retired() == 0 && member.tokenHolders == 0;
}

}  // namespace

int MemberControl::add(MemberOptions options) {
  const PoolLock lock(members_->mutex);
  return members_->add(std::move(options)).index;
}

std::shared_ptr<const MemberOptions> MemberControl::beginOpening(int index) {
  const PoolLock lock(members_->mutex);
  Member& member = members_->at(index);
  // An alias: it points to the options and ends the count.
  return {members_->countInside(member.threadsOpening), &member.options};
}

std::shared_ptr<const void> MemberControl::countScout(int index, OpeningPointer opening) {
  const PoolLock lock(members_->mutex);
  using Held = std::pair<OpeningPointer, std::shared_ptr<const void>>;
  return std::make_shared<Held>(std::move(opening),
                                members_->countInside(members_->known(index).threadsOpening));
}

std::shared_ptr<const void> MemberControl::countWaitingOpener(int index) {
  const PoolLock lock(members_->mutex);
  return members_->countInside(members_->known(index).openersWaiting);
}

bool MemberControl::detach(int index, Deadline deadline) {
  // Declared before the lock, so destroyed after it: the token's end may finalise the module.
  OpeningPointer opening;
  std::shared_ptr<Token> token;
  std::shared_ptr<Epoch> epoch;
  PoolLock lock(members_->mutex);
  Member& member = members_->at(index);
  memberTransitions.advance(member.state, MemberEvent::kSuspend);
  token = std::move(member.token);
  epoch = std::move(member.epoch);
  opening = std::move(member.opening);
  if (token) member.formerLogins += token->logins();
  member.lanes.retireAll();
  member.exhausted = false;
  dispatcher_->refuseNamed(member, FailureKind::kNoMember, "the member is opened again");
  dispatcher_->refuseUnserved();
  members_->changed.waitUntil(lock, deadline,
                              [&member]() REQUIRES(poolState) { return hasNoThreadInside(member); });
  // In a shared instance the next opening has the same token. A thread that is still inside hangs, and must
  // not lock it out.
  const bool isEmpty = hasNoThreadInside(member);
  if (token && !isEmpty) token->objects().expelAll();
  return isEmpty;
}

OpeningPointer MemberControl::newOpening(int index) {
  const PoolLock lock(members_->mutex);
  return members_->at(index).openings->begin();
}

void MemberControl::attach(int index, std::shared_ptr<Token> token, OpeningPointer opening) {
  const PoolLock lock(members_->mutex);
  Member& member = members_->at(index);
  member.token = std::move(token);
  member.opening = std::move(opening);
}

std::shared_ptr<Token> MemberControl::acquireToken(int index) {
  const PoolLock lock(members_->mutex);
  Member& member = members_->at(index);
  if (!member.token) throw failure(FailureKind::kNoMember, "the member is not open");
  if (member.tokenHolders >= kMaxTokenHolders)
    throw failure(FailureKind::kNoMember, "too many calls hang in it");
  ++member.tokenHolders;
  auto giveBack = [members = members_, token = member.token, opening = member.opening,
                   &member](Token*) mutable {
    // Releases the references first: a thread that waits for the last holder goes on to finalise the module.
    token.reset();
    opening.reset();
    const PoolLock holdersLock(members->mutex);
    --member.tokenHolders;
    members->changed.notifyAll();
  };
  return {member.token.get(), std::move(giveBack)};
}

void MemberControl::expel(int index, Holder holder) {
  const PoolLock lock(members_->mutex);
  const auto& token = members_->known(index).token;
  if (token) token->objects().expel(holder);
}

std::shared_ptr<Epoch> MemberControl::epochOf(int index) const {
  const PoolLock lock(members_->mutex);
  return members_->known(index).epoch;
}

void MemberControl::setProfile(int index, Profile profile, int laneCount) {
  const PoolLock lock(members_->mutex);
  Member& member = members_->at(index);
  member.profile = profile;
  member.limits = {laneCount, laneCount};
}

Profile MemberControl::profileOf(int index) const {
  const PoolLock lock(members_->mutex);
  return members_->at(index).profile;
}

void MemberControl::suspend(int index) {
  const PoolLock lock(members_->mutex);
  memberTransitions.advance(members_->at(index).state, MemberEvent::kSuspend);
  dispatcher_->refuseUnserved();
}

void MemberControl::resume(int index) {
  const PoolLock lock(members_->mutex);
  Member& member = members_->at(index);
  memberTransitions.advance(member.state, MemberEvent::kResume);
  dispatcher_->wakeIdle(member);
}

std::vector<MemberStatistics> MemberControl::statistics() const {
  const PoolLock lock(members_->mutex);
  std::vector<MemberStatistics> all;
  for (const auto& member : members_->all()) {
    if (!member->isClosing()) all.push_back(describe(*member));
  }
  return all;
}

MemberStatistics MemberControl::describe(const Member& member) const {
  MemberStatistics described;
  described.member = member.index;
  described.epoch = member.epoch ? member.epoch->number : 0;
  described.admitted = member.takesSharedWork();
  described.lanes = static_cast<int>(member.lanes.ready());
  described.laneTarget = member.budget.target();
  described.quarantinedLanes = static_cast<int>(member.lanes.quarantined());
  described.queued = static_cast<int>(dispatcher_->waitingFor(member));
  described.running = static_cast<int>(member.lanes.running());
  described.logins = member.formerLogins + (member.token ? member.token->logins() : 0);
  described.cachedHandles = member.epoch ? member.epoch->cache.size() : 0;
  described.openings = member.openings->alive();
  described.threadsInside = member.threadsInside();
  described.operations = member.operations;
  described.busy = member.busy;
  return described;
}

}  // namespace holdfast
