#include "pool_closing.h"

#include <algorithm>
#include <system_error>
#include <utility>

namespace holdfast {
namespace {

bool isDeserted(const Member& member) REQUIRES(poolState) {
  return member.lanes.isDeserted() && member.tokenHolders == 0 && member.threadsOpening == 0 &&
         member.threadsReleasing == 0;
}

void begin(Member& member, MemberEvent why) REQUIRES(poolState) {
  memberTransitions.advance(member.state, why);
  member.lanes.notifyAll();
}

}  // namespace

void PoolClosing::beginMember(int index) {
  const PoolLock lock(members_->mutex);
  begin(members_->at(index), MemberEvent::kClose);
  dispatcher_->refuseUnserved();
}

void PoolClosing::beginAll() {
  const PoolLock lock(members_->mutex);
  members_->close();
  for (const auto& member : members_->all()) begin(*member, MemberEvent::kClosePool);
}

bool PoolClosing::hasBegun() const {
  const PoolLock lock(members_->mutex);
  return members_->isClosed();
}

int PoolClosing::finishMember(int index, Deadline deadline) {
  release(index, deadline);
  const PoolLock lock(members_->mutex);
  return members_->known(index).threadsInside();
}

void PoolClosing::release(int index, Deadline deadline) {
  // Declared in this order, so this thread counts as inside until the token is gone: its end closes a session
  // and may finalise the module, and both may hang. The lock is released first.
  std::shared_ptr<const void> inside;
  OpeningPointer opening;
  std::shared_ptr<Epoch> epoch;
  std::shared_ptr<Token> token;
  PoolLock lock(members_->mutex);
  Member& member = members_->known(index);
  members_->changed.waitUntil(lock, deadline, [&member]() REQUIRES(poolState) { return isDeserted(member); });
  dispatcher_->refuseNamed(member, FailureKind::kClosed, "the member was closed");
  inside = members_->countInside(member.threadsReleasing);
  token = std::move(member.token);
  epoch = std::move(member.epoch);
  opening = std::move(member.opening);
}

void PoolClosing::startReleasing(Deadline deadline) {
  std::vector<int> open;
  {
    const PoolLock lock(members_->mutex);
    for (const auto& member : members_->all()) {
      if (member->threadsInside() > 0 || dispatcher_->waitingFor(*member) > 0) open.push_back(member->index);
    }
  }
  // Each member closes on a thread of its own, so a member that hangs does not keep the others open.
  for (const int index : open) {
    const auto work = [self = shared_from_this(), index, deadline] { self->release(index, deadline); };
    try {
      watchdog_->threads().start("hf-control", work);
    } catch (const std::system_error&) {
      work();
    }
  }
}

int PoolClosing::awaitReleased(Deadline deadline) {
  PoolLock lock(members_->mutex);
  members_->changed.waitUntil(lock, deadline,
                              [this]() REQUIRES(poolState) { return members_->threadsInside() == 0; });
  dispatcher_->refuseAll(FailureKind::kClosed, "the pool was closed");
  return members_->threadsInside();
}

void PoolClosing::refuseWaiting() {
  const PoolLock lock(members_->mutex);
  dispatcher_->refuseAll(FailureKind::kClosed, "the pool was closed");
}

int PoolClosing::threadsInside() const {
  const PoolLock lock(members_->mutex);
  return members_->threadsInside();
}

}  // namespace holdfast
