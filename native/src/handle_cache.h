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

/// One member's knowledge of the key with one identity.
class HandleEntry {
 public:
  /// The handle, if it was proved against exactly this material in this epoch.
  [[nodiscard]] std::optional<CK_OBJECT_HANDLE> provenHandle(const MaterialPointer& material) const;
  /// `begun`: a time before the canary was tried.
  void recordProof(CK_OBJECT_HANDLE handle, MaterialPointer material, Clock::time_point begun);
  /// Makes the handle prove itself again before its next use; it stays the candidate.
  void revokeProof();
  /// How often the proof was revoked. If this number changed during an encryption, the ciphertext may be
  /// under another key.
  [[nodiscard]] uint64_t revocations() const { return revocations_.load(std::memory_order_acquire); }

  /// The handle to try before a find: the one that this epoch's inventory saw, or the last that was found or
  /// proved.
  [[nodiscard]] std::optional<CK_OBJECT_HANDLE> candidate() const;
  void recordSeen(CK_OBJECT_HANDLE handle);
  void forgetCandidate();

  /// The proof, for operations that ask whether the HSM works with a key other than theirs.
  [[nodiscard]] std::optional<std::pair<CK_OBJECT_HANDLE, MaterialPointer>> proof() const;

  /// The HSM refused this key while it worked with another one. A later proof clears this.
  void recordRefusal(Clock::time_point when);
  [[nodiscard]] bool wasRefusedLately() const;

  /// Whether the canary decrypted through this handle, in an attempt that began at `then` or later.
  [[nodiscard]] bool canarySucceededSince(Clock::time_point then) const;
  void recordCanarySuccess(Clock::time_point begun);

  /// How many of this key's ciphertexts were seen to decrypt: see encryption_check.h.
  unsigned checkedEncryptions() const { return checkedEncryptions_.load(std::memory_order_relaxed); }
  void recordCheckedEncryption() { checkedEncryptions_.fetch_add(1, std::memory_order_relaxed); }

  /// Held by the lane that proves or probes: one probe at a time, and the others wait for its result.
  TimedSharedMutex& probe() { return probe_; }

 private:
  mutable Mutex mutex_;
  std::atomic<uint64_t> revocations_ = 0;
  std::atomic<unsigned> checkedEncryptions_ = 0;
  MaterialPointer material_ GUARDED_BY(mutex_);
  CK_OBJECT_HANDLE handle_ GUARDED_BY(mutex_) = CK_INVALID_HANDLE;
  std::optional<CK_OBJECT_HANDLE> candidate_ GUARDED_BY(mutex_);
  std::optional<Clock::time_point> refused_ GUARDED_BY(mutex_);
  /// When the last successful attempt began.
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
  /// Forgets an entry, unless another has taken its place.
  void drop(const ObjectIdentity& identity, const EntryPointer& entry);
  void drop(const ObjectIdentity& identity);
  /// Makes every handle prove itself again; each stays a candidate. Work in progress keeps its entry.
  void doubtAll();
  [[nodiscard]] size_t size() const;
  /// At most `most` keys that have a proof, other than this one.
  [[nodiscard]] std::vector<std::pair<CK_OBJECT_HANDLE, MaterialPointer>> provenKeys(
      const ObjectIdentity& except, size_t most) const;

  /// The handle under which a key was seen last.
  [[nodiscard]] std::optional<CK_OBJECT_HANDLE> candidateOf(const ObjectIdentity& identity) const;
  /// At most `most` keys whose handle was seen in this epoch.
  [[nodiscard]] std::vector<SeenKey> knownKeys(size_t most) const;

  /// Takes in one inventory pass over all keys, some of which may share an identity. Keys that share one, or
  /// that are gone, lose their proof. Their next use finds and judges them again.
  void takeInventory(const std::vector<SeenKey>& keys);

 private:
  mutable Mutex mutex_;
  std::unordered_map<ObjectIdentity, EntryPointer, HashIdentity> entries_ GUARDED_BY(mutex_);
};

}  // namespace holdfast
