#include "turnstile.h"

namespace holdfast {

Turnstile::Passage Turnstile::exclusive(Deadline deadline) {
  std::unique_lock lock(mutex_);
  ++waitingExclusive_;
  const bool held = changed_.wait_until(lock, deadline, [this] { return !exclusive_ && shared_ == 0; });
  --waitingExclusive_;
  if (held) exclusive_ = true;
  if (!held) changed_.notify_all();
  return {*this, true, held};
}

Turnstile::Passage Turnstile::shared(Deadline deadline) {
  std::unique_lock lock(mutex_);
  const bool held =
      changed_.wait_until(lock, deadline, [this] { return !exclusive_ && waitingExclusive_ == 0; });
  if (held) ++shared_;
  return {*this, false, held};
}

void Turnstile::leave(bool exclusive) {
  const std::lock_guard lock(mutex_);
  if (exclusive) {
    exclusive_ = false;
  } else {
    --shared_;
  }
  changed_.notify_all();
}

}  // namespace holdfast
