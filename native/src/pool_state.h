/// \file The capability to use what the mutex of a pool guards: members, lanes, and requests that wait.
#pragma once

#include "mutex.h"

namespace holdfast {

/// Members and lanes do not know the mutex that guards them (`MemberTable::mutex`), so clang could not name
/// it in their annotations. This stands for it, and only a PoolLock holds it. It does not distinguish pools:
/// each has its own members and lanes, and none reaches another's.
class CAPABILITY PoolState {};
inline constexpr PoolState poolState;

/// Holds the mutex of a pool.
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
