/// \file A byte string that is zeroed before its memory is given back: PINs, plaintexts, data keys
/// (invariant 11).
#pragma once

#include <memory>

#include "bytes.h"

namespace holdfast {

/// Owns a fixed block of memory. It never grows, so no copy is ever left behind; it moves and does not copy.
class Secret {
 public:
  Secret() = default;
  explicit Secret(size_t size);
  explicit Secret(ByteView from);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();

  uint8_t* data() { return bytes_ ? bytes_.get() : &nothing_; }
  const uint8_t* data() const { return bytes_ ? bytes_.get() : &nothing_; }
  size_t size() const { return size_; }
  ByteView view() const { return {data(), size_}; }

  /// Shortens it and zeroes the rest.
  void truncate(size_t size);
  /// Zeroes and frees it now.
  void clear();

 private:
  std::unique_ptr<uint8_t[]> bytes_;
  size_t capacity_ = 0;
  size_t size_ = 0;
  uint8_t nothing_ = 0;
};

}  // namespace holdfast
