/// \file The capability to use what a dispatcher's mutex guards: queues, members, and the places of lanes.
#pragma once

#include "mutex.h"

namespace holdfast {

/// Members and lanes do not know the mutex that guards them, so clang could not name it in their annotations.
/// This stands for it, and only a PoolLock holds it. (It does not tell one dispatcher from another. Each has
/// its own members and lanes, and none reaches another's.)
class CAPABILITY PoolState {};
inline constexpr PoolState poolState;

/// Holds a dispatcher's mutex.
class SCOPED_CAPABILITY PoolLock : public MutexLock {
 public:
  // Clang would miss the release of the mutex that poolState stands for.
  [[nodiscard]] explicit PoolLock(Mutex& mutex) ACQUIRE(poolState) NO_THREAD_SAFETY_ANALYSIS
      : MutexLock(mutex) {}
  PoolLock(const PoolLock&) = delete;
  PoolLock& operator=(const PoolLock&) = delete;
  // NOLINTNEXTLINE(modernize-use-equals-default): a defaulted destructor takes no attribute.
  ~PoolLock() RELEASE() NO_THREAD_SAFETY_ANALYSIS {}
};

}  // namespace holdfast
