/// \file Process-wide state that threads may still use while the process exits.
#pragma once

#include <memory>
#include <utility>

namespace holdfast {

/// Holds a `T` in place and never runs its destructor: a lane that hangs inside a module outlives `exit()`'s
/// destruction of statics.
template <typename T>
class NeverDestroyed {
 public:
  template <typename... Arguments>
  explicit NeverDestroyed(Arguments&&... arguments) {
    std::construct_at(&value_, std::forward<Arguments>(arguments)...);
  }
  // A defaulted one is deleted for a union member.
  // NOLINTNEXTLINE(modernize-use-equals-default)
  ~NeverDestroyed() {}
  NeverDestroyed(const NeverDestroyed&) = delete;
  NeverDestroyed& operator=(const NeverDestroyed&) = delete;

  T& operator*() { return value_; }
  T* operator->() { return &value_; }

 private:
  union {
    T value_;
  };
};

}  // namespace holdfast
