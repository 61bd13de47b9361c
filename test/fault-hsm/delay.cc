#include "delay.h"

#include <sys/prctl.h>

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <string>

#include "chance.h"

namespace faulthsm {

std::optional<Delay> Delay::read(std::istream& words) {
  Delay delay;
  std::string word;
  if (!(words >> word)) return std::nullopt;
  if (word == "uniform" || word == "lognormal") {
    delay.kind_ = word == "uniform" ? Kind::kUniform : Kind::kLognormal;
    return words >> delay.first_ >> delay.second_ ? std::optional(delay) : std::nullopt;
  }
  if (word == "exponential") {
    delay.kind_ = Kind::kExponential;
    return words >> delay.first_ ? std::optional(delay) : std::nullopt;
  }
  char* end = nullptr;
  delay.first_ = std::strtod(word.c_str(), &end);
  return *end == '\0' ? std::optional(delay) : std::nullopt;
}

double Delay::milliseconds(uint64_t seed, uint64_t index) const {
  switch (kind_) {
    case Kind::kFixed:
      return first_;
    case Kind::kUniform:
      return first_ + (second_ - first_) * uniform(seed, index);
    case Kind::kExponential:
      return -first_ * std::log(1 - uniform(seed, index));
    case Kind::kLognormal:
      return first_ * std::exp(second_ * normal(seed, index));
  }
  return 0;
}

void sleepFor(double milliseconds) {
  if (milliseconds <= 0) return;
  // The kernel rounds sleeps up by 50 µs to save wake-ups: 5 % of a simulated millisecond.
  ::prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  timespec until{};
  ::clock_gettime(CLOCK_MONOTONIC, &until);
  const auto ns = static_cast<int64_t>(milliseconds * 1e6) + until.tv_nsec;
  until.tv_sec += ns / 1'000'000'000;
  until.tv_nsec = ns % 1'000'000'000;
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
  }
}

}  // namespace faulthsm
