#include "secret.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace holdfast {

Secret::Secret(size_t size)
    : bytes_(size == 0 ? nullptr : std::make_unique<uint8_t[]>(size)), capacity_(size), size_(size) {}

Secret::Secret(ByteView from) : Secret(from.size()) { std::copy(from.begin(), from.end(), data()); }

Secret::Secret(Secret&& other) noexcept
    : bytes_(std::move(other.bytes_)),
      capacity_(std::exchange(other.capacity_, 0)),
      size_(std::exchange(other.size_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  clear();
  bytes_ = std::move(other.bytes_);
  capacity_ = std::exchange(other.capacity_, 0);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

Secret::~Secret() { clear(); }

void Secret::truncate(size_t size) {
  if (size >= size_) return;
  explicit_bzero(bytes_.get() + size, size_ - size);
  size_ = size;
}

void Secret::clear() {
  if (bytes_) explicit_bzero(bytes_.get(), capacity_);
  bytes_.reset();
  capacity_ = 0;
  size_ = 0;
}

}  // namespace holdfast
