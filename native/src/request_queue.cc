#include "request_queue.h"

#include <algorithm>

namespace holdfast {

void RequestQueue::push(const RequestPointer& request) {
  auto& queue = queueOf(*request);
  const bool isMemberFull =
      request->member && pinned_.size() > 1 && queue.size() >= std::max<size_t>(1, limit_ / 2);
  if (isMemberFull || size_ >= limit_) throw failure(FailureKind::kQueueFull, "too many operations wait");
  queue.push_back(request);
  ++size_;
}

void RequestQueue::pushFront(const RequestPointer& request) {
  queueOf(*request).push_front(request);
  ++size_;
}

RequestPointer RequestQueue::pop(int member, bool takesShared) {
  if (auto request = popFrom(pinned_[static_cast<size_t>(member)])) return request;
  return takesShared ? popFrom(shared_) : nullptr;
}

RequestPointer RequestQueue::popFrom(Requests& queue) {
  while (!queue.empty()) {
    auto request = takeOut(queue, queue.begin());
    if (request->hasTimeToStart()) return request;
    refuse(request, failure(FailureKind::kQueueDeadline, "too little time was left when its turn came"));
  }
  return nullptr;
}

bool RequestQueue::remove(const RequestPointer& request) {
  auto& queue = queueOf(*request);
  const auto found = std::ranges::find(queue, request);
  if (found == queue.end()) return false;
  takeOut(queue, found);
  return true;
}

void RequestQueue::refuse(const RequestPointer& request, Failure failure) {
  watchdog_->unwatch(request->deadline, request);
  if (request->member && failure.member < 0) failure.member = *request->member;
  request->completion->complete(std::move(failure));
}

bool RequestQueue::refuseTicket(uint64_t ticket, const Failure& failure) {
  const auto refuseFrom = [&](Requests& queue) REQUIRES(poolState) {
    const auto hasTicket = [ticket](const auto& request) { return request->completion->ticket() == ticket; };
    const auto found = std::ranges::find_if(queue, hasTicket);
    if (found == queue.end()) return false;
    refuse(takeOut(queue, found), failure);
    return true;
  };
  return refuseFrom(shared_) || std::ranges::any_of(pinned_, refuseFrom);
}

void RequestQueue::refusePinned(int member, FailureKind kind, const char* detail) {
  refuseIn(pinned_[static_cast<size_t>(member)], kind, detail);
}

void RequestQueue::refuseShared(FailureKind kind, const char* detail) { refuseIn(shared_, kind, detail); }

void RequestQueue::refuseAll(FailureKind kind, const char* detail) {
  for (auto& queue : pinned_) refuseIn(queue, kind, detail);
  refuseIn(shared_, kind, detail);
}

void RequestQueue::refuseIn(Requests& queue, FailureKind kind, const char* detail) {
  size_ -= queue.size();
  for (const auto& request : queue) refuse(request, failure(kind, detail));
  queue.clear();
}

RequestQueue::Requests& RequestQueue::queueOf(const Request& request) {
  return request.member ? pinned_[static_cast<size_t>(*request.member)] : shared_;
}

RequestPointer RequestQueue::takeOut(Requests& queue, const Requests::iterator& found) {
  RequestPointer request = std::move(*found);
  queue.erase(found);
  --size_;
  return request;
}

}  // namespace holdfast
