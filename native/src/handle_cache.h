/// \file The object handles of one member in one session epoch (invariant 3).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "clock.h"
#include "cryptoki.h"
#include "material.h"
#include "mutex.h"
#include "timed_shared_mutex.h"

namespace holdfast {

/// What is known of the key with one identity.
class HandleEntry {
 public:
  /// The handle, where it was proved against this very material in this epoch.
  std::optional<CK_OBJECT_HANDLE> provenHandle(const MaterialPointer& material) const;
  /// `begun`: before the canary was tried.
  void recordProof(CK_OBJECT_HANDLE handle, MaterialPointer material, Clock::time_point begun);
  /// From now on the handle must prove itself again; it stays the candidate.
  void revokeProof();
  /// How often that was so. What a handle encrypted while this number changed may be under another key.
  uint64_t revocations() const { return revocations_.load(std::memory_order_acquire); }

  /// What is worth trying before a find: the one handle that this epoch's inventory saw, or the last that was
  /// found or proved.
  std::optional<CK_OBJECT_HANDLE> candidate() const;
  void recordSeen(CK_OBJECT_HANDLE handle);
  void forgetCandidate();

  /// The proof, for those who ask whether the HSM works with another key than theirs.
  std::optional<std::pair<CK_OBJECT_HANDLE, MaterialPointer>> proof() const;

  /// The HSM refused this key and worked with another one; not proved since.
  void recordRefusal(Clock::time_point when);
  bool wasRefusedLately() const;

  /// Whether the canary has succeeded on this handle, in a try that began then or later.
  bool canarySucceededSince(Clock::time_point then) const;
  void recordCanarySuccess(Clock::time_point begun);

  /// How many of its ciphertexts were seen to decrypt: see encryption_check.h.
  unsigned checkedEncryptions() const { return checkedEncryptions_.load(std::memory_order_relaxed); }
  void recordCheckedEncryption() { checkedEncryptions_.fetch_add(1, std::memory_order_relaxed); }

  /// Held by the lane that proves or probes: one probe in flight, the others wait for its result.
  TimedSharedMutex& probe() { return probe_; }

 private:
  mutable Mutex mutex_;
  std::atomic<uint64_t> revocations_ = 0;
  std::atomic<unsigned> checkedEncryptions_ = 0;
  MaterialPointer material_ GUARDED_BY(mutex_);
  CK_OBJECT_HANDLE handle_ GUARDED_BY(mutex_) = CK_INVALID_HANDLE;
  std::optional<CK_OBJECT_HANDLE> candidate_ GUARDED_BY(mutex_);
  std::optional<Clock::time_point> refused_ GUARDED_BY(mutex_);
  /// When the last try that succeeded began.
  std::optional<Clock::time_point> canarySuccess_ GUARDED_BY(mutex_);
  TimedSharedMutex probe_;
};

/// A key that an inventory saw.
struct SeenKey {
  ObjectIdentity identity;
  CK_OBJECT_HANDLE handle;
};

/// The entries of one epoch; a new epoch begins with an empty cache.
class HandleCache {
 public:
  using EntryPointer = std::shared_ptr<HandleEntry>;

  /// The entry of a key, made if there is none.
  [[nodiscard]] EntryPointer entry(const ObjectIdentity& identity);
  /// Forgets an entry, unless another took its place.
  void drop(const ObjectIdentity& identity, const EntryPointer& entry);
  void drop(const ObjectIdentity& identity);
  /// Every handle must prove itself again, and stays a candidate. Work under way keeps the entry that it has.
  void doubtAll();
  size_t size() const;
  /// Keys with a proof, other than this one, at most so many.
  std::vector<std::pair<CK_OBJECT_HANDLE, MaterialPointer>> provenKeys(const ObjectIdentity& except,
                                                                       size_t most) const;

  /// Takes in one inventory pass over all keys, some of which may share an identity. Those that share it or
  /// are gone lose their proof: their next use finds and judges them again.
  void takeInventory(const std::vector<SeenKey>& keys);

 private:
  mutable Mutex mutex_;
  std::unordered_map<ObjectIdentity, EntryPointer, HashIdentity> entries_ GUARDED_BY(mutex_);
};

}  // namespace holdfast
