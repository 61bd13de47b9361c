#include "dispatcher.h"

namespace holdfast {
namespace {

/// Control operations that may be inside one member at a time: those that hang must not use up the threads.
constexpr int kMaxTokenHolders = 8;

bool hasNobodyInside(const Member& member) REQUIRES(poolState) {
  return member.lanes.retired() == 0 && member.tokenHolders == 0;
}

}  // namespace

int Dispatcher::addMember(MemberOptions options) {
  const Lock lock(mutex_);
  if (closed_) throw failure(FailureKind::kClosed, "the pool is closed");
  if (members_.size() >= kMaxMembers) throw failure(FailureKind::kNoMember, "a pool has at most 64 members");
  auto member = std::make_unique<Member>();
  member->index = static_cast<int>(members_.size());
  member->limits = options.lanes;
  member->openings = std::make_shared<Openings>(1 + options.maxStuckOpenings);
  member->options = std::move(options);
  requests_.addMember();
  members_.push_back(std::move(member));
  return members_.back()->index;
}

std::shared_ptr<const MemberOptions> Dispatcher::beginOpening(int index) {
  const Lock lock(mutex_);
  Member& member = memberAt(index);
  // An alias: it gives the options, and its end is that of the count.
  return {countInside(member.threadsOpening), &member.options};
}

void Dispatcher::detach(int index, Deadline deadline) {
  // Declared before the lock, so destroyed after it: the token's end may finalise the module.
  OpeningPointer opening;
  std::shared_ptr<Token> token;
  std::shared_ptr<Epoch> epoch;
  Lock lock(mutex_);
  Member& member = memberAt(index);
  memberTransitions.advance(member.state, MemberEvent::kSuspend);
  token = std::move(member.token);
  epoch = std::move(member.epoch);
  opening = std::move(member.opening);
  if (token) member.formerLogins += token->logins();
  member.lanes.retireAll();
  member.exhausted = false;
  requests_.refuseNamed(index, FailureKind::kNoMember, "the member is opened again");
  refuseUnserved();
  changed_.waitUntil(lock, deadline, [&member]() REQUIRES(poolState) { return hasNobodyInside(member); });
  // In a shared instance the next opening has the same token. Who is still inside hangs, and must not keep it
  // out.
  if (token && !hasNobodyInside(member)) token->objects().expelAll();
}

OpeningPointer Dispatcher::newOpening(int index) {
  const Lock lock(mutex_);
  return memberAt(index).openings->begin();
}

void Dispatcher::attach(int index, std::shared_ptr<Token> token, OpeningPointer opening) {
  const Lock lock(mutex_);
  Member& member = memberAt(index);
  member.token = std::move(token);
  member.opening = std::move(opening);
}

void Dispatcher::expel(int index, Holder holder) {
  const Lock lock(mutex_);
  const auto& token = members_[static_cast<size_t>(index)]->token;
  if (token) token->objects().expel(holder);
}

std::shared_ptr<Token> Dispatcher::acquireToken(int index) {
  const Lock lock(mutex_);
  Member& member = memberAt(index);
  if (!member.token) throw failure(FailureKind::kNoMember, "the member is not open");
  if (member.tokenHolders >= kMaxTokenHolders)
    throw failure(FailureKind::kNoMember, "too many calls hang in it");
  ++member.tokenHolders;
  auto leave = [dispatcher = shared_from_this(), token = member.token, opening = member.opening,
                &member](Token*) mutable {
    // The references first: a thread that waits for the last holder goes on to finalise the module.
    token.reset();
    opening.reset();
    const Lock holdersLock(dispatcher->mutex_);
    --member.tokenHolders;
    dispatcher->changed_.notifyAll();
  };
  return {member.token.get(), std::move(leave)};
}

}  // namespace holdfast
