#include <algorithm>

#include "dispatcher.h"

namespace holdfast {
namespace {

bool isDeserted(const Member& member) REQUIRES(poolState) {
  return member.lanes.isDeserted() && member.tokenHolders == 0 && member.threadsOpening == 0 &&
         member.threadsReleasing == 0;
}

}  // namespace

std::shared_ptr<const void> Dispatcher::countInside(int& count) {
  ++count;
  return {&count, [dispatcher = shared_from_this(), &count](const void*) {
            const Lock lock(dispatcher->mutex_);
            --count;
            dispatcher->changed_.notifyAll();
          }};
}

void Dispatcher::stop(Member& member, MemberEvent why) {
  memberTransitions.advance(member.state, why);
  member.lanes.notifyAll();
}

void Dispatcher::beginClosing(int index) {
  const Lock lock(mutex_);
  stop(memberAt(index), MemberEvent::kClose);
  refuseUnserved();
}

void Dispatcher::beginClosingAll() {
  const Lock lock(mutex_);
  closed_ = true;
  for (const auto& member : members_) stop(*member, MemberEvent::kClosePool);
}

bool Dispatcher::isClosed() const {
  const Lock lock(mutex_);
  return closed_;
}

int Dispatcher::finishClosing(int index, Deadline deadline) {
  release(index, deadline);
  const Lock lock(mutex_);
  return members_[static_cast<size_t>(index)]->threadsInside();
}

void Dispatcher::release(int index, Deadline deadline) {
  // In this order, so that what is let go of counts as inside until it is gone: the token's end closes a
  // session and may finalise the module, and each of the two may hang. The lock is let go of first.
  std::shared_ptr<const void> inside;
  OpeningPointer opening;
  std::shared_ptr<Epoch> epoch;
  std::shared_ptr<Token> token;
  Lock lock(mutex_);
  Member& member = *members_[static_cast<size_t>(index)];
  changed_.waitUntil(lock, deadline, [&member]() REQUIRES(poolState) { return isDeserted(member); });
  requests_.refuseNamed(index, FailureKind::kClosed, "the member was closed");
  inside = countInside(member.threadsReleasing);
  token = std::move(member.token);
  epoch = std::move(member.epoch);
  opening = std::move(member.opening);
}

void Dispatcher::releaseAll(Deadline deadline) {
  std::vector<int> open;
  {
    const Lock lock(mutex_);
    for (const auto& member : members_) {
      if (member->threadsInside() > 0 || requests_.sizeFor(member->index, false) > 0)
        open.push_back(member->index);
    }
  }
  // Each on a thread of its own: one that hangs keeps none of the others open.
  for (const int index : open) {
    const auto work = [self = shared_from_this(), index, deadline] { self->release(index, deadline); };
    try {
      watchdog_->threads().start("hf-control", work);
    } catch (const std::system_error&) {
      work();
    }
  }
}

int Dispatcher::awaitReleased(Deadline deadline) {
  Lock lock(mutex_);
  const auto isReleased = [](const auto& member) REQUIRES(poolState) { return member->threadsInside() == 0; };
  changed_.waitUntil(lock, deadline,
                     [&]() REQUIRES(poolState) { return std::ranges::all_of(members_, isReleased); });
  requests_.refuseAll(FailureKind::kClosed, "the pool was closed");
  return insideAll();
}

void Dispatcher::refuseWaiting() {
  const Lock lock(mutex_);
  requests_.refuseAll(FailureKind::kClosed, "the pool was closed");
}

int Dispatcher::busyLanes() const {
  const Lock lock(mutex_);
  return insideAll();
}

int Dispatcher::insideAll() const {
  int inside = 0;
  for (const auto& member : members_) inside += member->threadsInside();
  return inside;
}

}  // namespace holdfast
