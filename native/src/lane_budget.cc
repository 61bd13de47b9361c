#include "lane_budget.h"

#include <algorithm>

namespace holdfast {

void LaneBudget::reset(int limit) {
  limit_ = limit;
  target_ = limit;
  wait_ = kFirstWait;
}

void LaneBudget::refused(int lanes, Clock::time_point now) {
  target_ = std::max(1, std::min(target_, lanes) - 1);
  growAt_ = now + wait_;
  wait_ = std::min<Clock::duration>(2 * wait_, kLongestWait);
}

bool LaneBudget::mayGrow(int lanes, Clock::time_point now) {
  if (lanes < target_) return true;
  if (target_ >= limit_ || now < growAt_) return false;
  ++target_;
  growAt_ = now + wait_;
  return true;
}

}  // namespace holdfast
