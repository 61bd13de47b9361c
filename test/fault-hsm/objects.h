/// \file Object handles as the application sees them. They need not be the real module's.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#define CRYPTOKI_COMPAT 1
#include "pkcs11.h"

namespace faulthsm {

/// The handles that were given out. They are the real ones until something is renumbered or made stale. All
/// members may be called from any thread.
class Objects {
 public:
  /// Begins after C_Initialize, which makes all earlier real handles meaningless. `renumber`: objects are
  /// remembered by class and CKA_ID, and their handles change places.
  void begin(bool renumber);

  /// The handle to give out for a real one. `identify`: remember class and CKA_ID too.
  CK_OBJECT_HANDLE shown(CK_OBJECT_HANDLE real, CK_SESSION_HANDLE session, bool identify);
  /// The real handle; nothing if this one is no longer valid.
  std::optional<CK_OBJECT_HANDLE> real(CK_OBJECT_HANDLE shown, CK_SESSION_HANDLE session);
  /// Class and CKA_ID of the object behind a handle: the same on every HSM that has the key.
  std::string identity(CK_OBJECT_HANDLE shown, CK_SESSION_HANDLE session);

  /// Called when the object was destroyed.
  void destroyed(CK_OBJECT_HANDLE shown);
  /// Makes the handle invalid from now on; the object gets another one when it is found again.
  void makeStale(CK_OBJECT_HANDLE shown);
  /// Makes every known handle name the next object.
  void rotate();
  /// The handle of another object; an invalid one if no other is known.
  CK_OBJECT_HANDLE another(CK_OBJECT_HANDLE shown) const;

 private:
  struct Object {
    /// 0 if the object has not been found since C_Initialize.
    CK_OBJECT_HANDLE real = 0;
    std::string identity;
  };

  void rotateLocked();
  CK_OBJECT_HANDLE freeHandle(CK_OBJECT_HANDLE real);
  void forget(CK_OBJECT_HANDLE shown);

  mutable std::mutex mutex_;
  std::map<CK_OBJECT_HANDLE, Object> objects_;
  std::unordered_map<CK_OBJECT_HANDLE, CK_OBJECT_HANDLE> shownByReal_;
  std::unordered_set<CK_OBJECT_HANDLE> stale_;
  CK_OBJECT_HANDLE lastFree_ = 0x40000000;
};

}  // namespace faulthsm
