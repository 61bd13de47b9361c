#include "call_time.h"

namespace holdfast {
namespace {

thread_local std::atomic<Clock::time_point>* watched = nullptr;

}  // namespace

CallTime::CallTime(std::atomic<Clock::time_point>& since) { watched = &since; }

CallTime::~CallTime() { watched = nullptr; }

void CallTime::note() {
  if (watched != nullptr) *watched = Clock::now();
}

}  // namespace holdfast
