#include "member_table.h"

#include <algorithm>

namespace holdfast {

Member& MemberTable::add(MemberOptions options) {
  if (closed_) throw failure(FailureKind::kClosed, "the pool is closed");
  if (members_.size() >= kMaxMembers) throw failure(FailureKind::kNoMember, "a pool has at most 64 members");
  auto member = std::make_unique<Member>();
  member->index = static_cast<int>(members_.size());
  member->limits = options.lanes;
  member->openings = std::make_shared<Openings>(1 + options.maxStuckOpenings);
  member->options = std::move(options);
  members_.push_back(std::move(member));
  return *members_.back();
}

Member& MemberTable::at(int index) const {
  const bool exists = index >= 0 && static_cast<size_t>(index) < members_.size();
  if (!exists || closed_ || known(index).isClosing()) {
    throw withMember(failure(FailureKind::kClosed, "the member is closed"), index);
  }
  return known(index);
}

bool MemberTable::anyTakes(Members members) const {
  return std::ranges::any_of(
      members_, [members](const auto& member) REQUIRES(poolState) { return member->takes(members); });
}

Members MemberTable::serving() const {
  auto serving = Members::anyOf({});
  for (const auto& member : members_) {
    if (member->takesSharedWork()) serving.add(member->index);
  }
  return serving;
}

Lane* MemberTable::nextIdleLane(Members members) {
  if (members.isNamed()) return at(members.name()).lanes.nextIdle();
  for (size_t step = 0; step < members_.size(); ++step) {
    const size_t index = (turn_ + step) % members_.size();
    const Member& member = *members_[index];
    Lane* const lane = member.takes(members) ? member.lanes.nextIdle() : nullptr;
    if (lane == nullptr) continue;
    turn_ = index + 1;
    return lane;
  }
  return nullptr;
}

Member* MemberTable::smallest(Members members) const {
  Member* smallest = nullptr;
  for (const auto& member : members_) {
    if (!member->takes(members)) continue;
    if (smallest == nullptr || member->lanes.size() < smallest->lanes.size()) smallest = member.get();
  }
  return smallest;
}

int MemberTable::threadsInside() const {
  int inside = 0;
  for (const auto& member : members_) inside += member->threadsInside();
  return inside;
}

std::shared_ptr<const void> MemberTable::countInside(int& count) {
  ++count;
  return {&count, [table = shared_from_this(), &count](const void*) {
            const PoolLock lock(table->mutex);
            --count;
            table->changed.notifyAll();
          }};
}

}  // namespace holdfast
