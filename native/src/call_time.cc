#include "call_time.h"

namespace holdfast {
namespace {

// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): each thread's own.
thread_local std::atomic<Clock::time_point>* watched = nullptr;

}  // namespace

CallTime::CallTime(std::atomic<Clock::time_point>& since) { watched = &since; }

CallTime::~CallTime() { watched = nullptr; }

void CallTime::note() {
  if (watched != nullptr) *watched = Clock::now();
}

}  // namespace holdfast
