#include "request_queue.h"

#include <algorithm>

namespace holdfast {

void RequestQueue::push(const RequestPointer& request, size_t memberCount) {
  auto& [members, requests] = lineFor(request->members);
  const bool mayFillHalf = memberCount > 1 && !members.areAll();
  const bool isLineFull = mayFillHalf && requests.size() >= std::max<size_t>(1, limit_ / 2);
  if (isLineFull || size_ >= limit_) throw failure(FailureKind::kQueueFull, "too many operations wait");
  requests.push_back({++newest_, request});
  ++size_;
}

void RequestQueue::pushFront(const RequestPointer& request) {
  lineFor(request->members).requests.push_front({--oldest_, request});
  ++size_;
}

RequestPointer RequestQueue::pop(int member, bool takesShared) {
  while (Line* const line = nextLine(member, takesShared)) {
    auto request = std::move(line->requests.front().request);
    line->requests.pop_front();
    --size_;
    if (request->hasTimeToStart()) return request;
    refuse(request, failure(FailureKind::kQueueDeadline, "too little time was left when its turn came"));
  }
  return nullptr;
}

bool RequestQueue::remove(const RequestPointer& request) {
  const auto isIt = [&request](const Waiting& waiting) { return waiting.request == request; };
  return std::ranges::any_of(lines_, [&](Line& line) REQUIRES(poolState) {
    return line.members == request->members && takeFirst(line, isIt) != nullptr;
  });
}

void RequestQueue::refuse(const RequestPointer& request, Failure failure) {
  watchdog_->unwatch(request->deadline, request);
  if (failure.member < 0) failure.member = request->members.name();
  request->completion->complete(std::move(failure));
}

bool RequestQueue::refuseTicket(uint64_t ticket, const Failure& failure) {
  const auto hasTicket = [ticket](const Waiting& waiting) {
    return waiting.request->completion->ticket() == ticket;
  };
  return std::ranges::any_of(lines_, [&](Line& line) REQUIRES(poolState) {
    const auto request = takeFirst(line, hasTicket);
    if (request) refuse(request, failure);
    return request != nullptr;
  });
}

void RequestQueue::refuseNamed(int member, FailureKind kind, const char* detail) {
  for (Line& line : lines_) {
    if (line.members.name() == member) refuseIn(line, kind, detail);
  }
}

void RequestQueue::refuseUnserved(Members serving, FailureKind kind, const char* detail) {
  for (Line& line : lines_) {
    if (!line.members.isNamed() && !line.members.overlaps(serving)) refuseIn(line, kind, detail);
  }
}

void RequestQueue::refuseAll(FailureKind kind, const char* detail) {
  for (Line& line : lines_) refuseIn(line, kind, detail);
}

size_t RequestQueue::sizeFor(int member, bool takesShared) const {
  size_t size = 0;
  for (const Line& line : lines_) {
    if (line.isFor(member, takesShared)) size += line.requests.size();
  }
  return size;
}

RequestQueue::Line& RequestQueue::lineFor(Members members) {
  const auto own = std::ranges::find(lines_, members, &Line::members);
  if (own != lines_.end()) return *own;
  const auto unused = std::ranges::find_if(lines_, [](const Line& line) { return line.requests.empty(); });
  if (unused == lines_.end()) return lines_.emplace_back(Line{members, {}});
  unused->members = members;
  return *unused;
}

RequestQueue::Line* RequestQueue::nextLine(int member, bool takesShared) {
  Line* next = nullptr;
  for (Line& line : lines_) {
    if (line.requests.empty() || !line.isFor(member, takesShared)) continue;
    if (line.members.isNamed()) return &line;
    const bool isOlder = next == nullptr || line.requests.front().order < next->requests.front().order;
    if (isOlder) next = &line;
  }
  return next;
}

template <typename Predicate>
RequestPointer RequestQueue::takeFirst(Line& line, Predicate matches) {
  const auto found = std::ranges::find_if(line.requests, matches);
  if (found == line.requests.end()) return nullptr;
  auto request = std::move(found->request);
  line.requests.erase(found);
  --size_;
  return request;
}

void RequestQueue::refuseIn(Line& line, FailureKind kind, const char* detail) {
  size_ -= line.requests.size();
  for (const auto& waiting : line.requests) refuse(waiting.request, failure(kind, detail));
  line.requests.clear();
}

}  // namespace holdfast
