#include "handle_cache.h"

#include <utility>

namespace holdfast {

std::optional<CK_OBJECT_HANDLE> HandleEntry::provenHandle(const MaterialPointer& material) const {
  const std::lock_guard lock(mutex_);
  if (!material_) return std::nullopt;
  // Two references may carry one material: the same content is the same proof.
  if (material_ != material && *material_ != *material) return std::nullopt;
  return handle_;
}

void HandleEntry::recordProof(CK_OBJECT_HANDLE handle, MaterialPointer material, Clock::time_point begun) {
  const std::lock_guard lock(mutex_);
  handle_ = handle;
  material_ = std::move(material);
  canarySuccess_ = begun;
}

void HandleEntry::revokeProof() {
  const std::lock_guard lock(mutex_);
  revocations_.fetch_add(1, std::memory_order_release);
  material_.reset();
  canarySuccess_.reset();
  seen_.reset();
}

std::optional<CK_OBJECT_HANDLE> HandleEntry::seenHandle() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

void HandleEntry::recordSeen(CK_OBJECT_HANDLE handle) {
  const std::lock_guard lock(mutex_);
  seen_ = handle;
}

bool HandleEntry::canarySucceededSince(Clock::time_point then) const {
  const std::lock_guard lock(mutex_);
  return canarySuccess_ && *canarySuccess_ >= then;
}

void HandleEntry::recordCanarySuccess(Clock::time_point begun) {
  const std::lock_guard lock(mutex_);
  if (material_) canarySuccess_ = begun;
}

HandleCache::EntryPointer HandleCache::entry(const Bytes& id) {
  const std::lock_guard lock(mutex_);
  auto& entry = entries_[id];
  if (!entry) entry = std::make_shared<HandleEntry>();
  return entry;
}

void HandleCache::drop(const Bytes& id, const EntryPointer& entry) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found != entries_.end() && found->second == entry) entries_.erase(found);
}

void HandleCache::drop(const Bytes& id) {
  const std::lock_guard lock(mutex_);
  entries_.erase(id);
}

void HandleCache::clear() {
  const std::lock_guard lock(mutex_);
  entries_.clear();
}

size_t HandleCache::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

void HandleCache::takeInventory(const std::vector<SeenKey>& keys) {
  std::unordered_map<Bytes, std::vector<CK_OBJECT_HANDLE>, HashBytes> handlesById;
  for (const auto& key : keys) handlesById[key.id].push_back(key.handle);
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [&handlesById](const auto& known) { return !handlesById.contains(known.first); });
  for (const auto& [id, handles] : handlesById) {
    auto& entry = entries_[id];
    if (!entry) entry = std::make_shared<HandleEntry>();
    if (handles.size() == 1) {
      entry->recordSeen(handles.front());
    } else {
      entry->revokeProof();
    }
  }
}

}  // namespace holdfast
