#include "handle_cache.h"

#include <utility>

namespace holdfast {
namespace {

/// A refused key is asked about again once a second at most. Otherwise every use of it would search the
/// token, or have another key made.
constexpr auto kRefusalMemory = std::chrono::seconds(1);

}  // namespace

std::optional<CK_OBJECT_HANDLE> HandleEntry::provenHandle(const MaterialPointer& material) const {
  const MutexLock lock(mutex_);
  if (!material_) return std::nullopt;
  // Two references may name the same material, so their contents are compared: a proof of one is a proof of
  // the other.
  if (material_ != material && *material_ != *material) return std::nullopt;
  return handle_;
}

void HandleEntry::recordProof(CK_OBJECT_HANDLE handle, MaterialPointer material, Clock::time_point begun) {
  const MutexLock lock(mutex_);
  handle_ = handle;
  candidate_ = handle;
  material_ = std::move(material);
  canarySuccess_ = begun;
  refused_.reset();
}

void HandleEntry::revokeProof() {
  const MutexLock lock(mutex_);
  revocations_.fetch_add(1, std::memory_order_release);
  checkedEncryptions_.store(0, std::memory_order_relaxed);
  material_.reset();
  canarySuccess_.reset();
}

std::optional<CK_OBJECT_HANDLE> HandleEntry::candidate() const {
  const MutexLock lock(mutex_);
  return candidate_;
}

void HandleEntry::recordSeen(CK_OBJECT_HANDLE handle) {
  const MutexLock lock(mutex_);
  candidate_ = handle;
}

void HandleEntry::forgetCandidate() {
  const MutexLock lock(mutex_);
  candidate_.reset();
}

std::optional<std::pair<CK_OBJECT_HANDLE, MaterialPointer>> HandleEntry::proof() const {
  const MutexLock lock(mutex_);
  if (!material_) return std::nullopt;
  return std::pair(handle_, material_);
}

void HandleEntry::recordRefusal(Clock::time_point when) {
  const MutexLock lock(mutex_);
  refused_ = when;
}

bool HandleEntry::wasRefusedLately() const {
  const MutexLock lock(mutex_);
  return refused_ && Clock::now() - *refused_ < kRefusalMemory;
}

bool HandleEntry::canarySucceededSince(Clock::time_point then) const {
  const MutexLock lock(mutex_);
  return canarySuccess_ && *canarySuccess_ >= then;
}

void HandleEntry::recordCanarySuccess(Clock::time_point begun) {
  const MutexLock lock(mutex_);
  if (material_) canarySuccess_ = begun;
}

HandleCache::EntryPointer HandleCache::entry(const ObjectIdentity& identity) {
  const MutexLock lock(mutex_);
  auto& entry = entries_[identity];
  if (!entry) entry = std::make_shared<HandleEntry>();
  return entry;
}

void HandleCache::drop(const ObjectIdentity& identity, const EntryPointer& entry) {
  const MutexLock lock(mutex_);
  const auto found = entries_.find(identity);
  if (found != entries_.end() && found->second == entry) entries_.erase(found);
}

void HandleCache::drop(const ObjectIdentity& identity) {
  const MutexLock lock(mutex_);
  entries_.erase(identity);
}

void HandleCache::doubtAll() {
  const MutexLock lock(mutex_);
  std::erase_if(entries_, [](const auto& known) { return !known.second->candidate(); });
  for (auto& [identity, entry] : entries_) {
    auto doubted = std::make_shared<HandleEntry>();
    doubted->recordSeen(*entry->candidate());
    entry = std::move(doubted);
  }
}

std::vector<std::pair<CK_OBJECT_HANDLE, MaterialPointer>> HandleCache::provenKeys(
    const ObjectIdentity& except, size_t most) const {
  const MutexLock lock(mutex_);
  std::vector<std::pair<CK_OBJECT_HANDLE, MaterialPointer>> keys;
  for (const auto& [identity, entry] : entries_) {
    if (keys.size() == most) break;
    auto proof = identity == except ? std::nullopt : entry->proof();
    if (proof) keys.push_back(std::move(*proof));
  }
  return keys;
}

std::optional<CK_OBJECT_HANDLE> HandleCache::candidateOf(const ObjectIdentity& identity) const {
  const MutexLock lock(mutex_);
  const auto found = entries_.find(identity);
  return found == entries_.end() ? std::nullopt : found->second->candidate();
}

std::vector<SeenKey> HandleCache::knownKeys(size_t most) const {
  const MutexLock lock(mutex_);
  std::vector<SeenKey> keys;
  for (const auto& [identity, entry] : entries_) {
    if (keys.size() == most) break;
    if (const auto handle = entry->candidate()) keys.push_back({identity, *handle});
  }
  return keys;
}

size_t HandleCache::size() const {
  const MutexLock lock(mutex_);
  return entries_.size();
}

void HandleCache::takeInventory(const std::vector<SeenKey>& keys) {
  std::unordered_map<ObjectIdentity, std::vector<CK_OBJECT_HANDLE>, HashIdentity> seen;
  for (const auto& key : keys) seen[key.identity].push_back(key.handle);
  const MutexLock lock(mutex_);
  std::erase_if(entries_, [&seen](const auto& known) { return !seen.contains(known.first); });
  for (const auto& [identity, handles] : seen) {
    auto& entry = entries_[identity];
    if (!entry) entry = std::make_shared<HandleEntry>();
    if (handles.size() == 1) {
      entry->recordSeen(handles.front());
    } else {
      entry->revokeProof();
      entry->forgetCandidate();
    }
  }
}

}  // namespace holdfast
