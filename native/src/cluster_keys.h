/// \file The keys that all members of a wrapped cluster share, and that never leave them again: the wrapping
/// keys and the key that authenticates backups. The ceremony makes and carries them (ceremony.h).
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "key_kinds.h"
#include "profile.h"
#include "session.h"

namespace holdfast {

/// All cluster keys of one ceremony. A new member means a new generation, because no key of an old one can be
/// carried any more.
struct Generation {
  /// The cluster's id.
  std::string cluster;
  uint32_t number = 1;
};

/// One of the keys of a generation.
struct ClusterKey {
  const char* name = "";
  CK_KEY_TYPE keyType = CK_UNAVAILABLE_INFORMATION;
  /// The mechanism that generates it.
  CK_MECHANISM_TYPE generation = 0;
  /// The keys that it wraps; none for the key that authenticates backups.
  std::optional<WrappingKeyKind> wraps;
};

/// Every cluster key has 256 bits.
inline constexpr CK_ULONG kClusterKeyLength = 32;

inline constexpr std::array<ClusterKey, 4> kClusterKeys{
    {{"wraps-aes", CKK_AES, CKM_AES_KEY_GEN, WrappingKeyKind::kAes},
     {"wraps-generic-secrets", CKK_AES, CKM_AES_KEY_GEN, WrappingKeyKind::kGenericSecret},
     {"wraps-private-keys", CKK_AES, CKM_AES_KEY_GEN, WrappingKeyKind::kPrivateKey},
     {"backup-mac", CKK_GENERIC_SECRET, CKM_GENERIC_SECRET_KEY_GEN, std::nullopt}}};

/// The cluster key that wraps this kind of keys.
[[nodiscard]] const ClusterKey& clusterKeyFor(WrappingKeyKind kind);

/// The key that authenticates backups.
[[nodiscard]] const ClusterKey& backupKey();

/// Label and CKA_ID, which are the same text: `holdfast/<cluster>/<generation>/<key>`.
[[nodiscard]] KeyName nameOf(const Generation& generation, const ClusterKey& key);

/// Whether a cluster key has CKA_TRUSTED: not before an officer has marked it.
enum class Trust : uint8_t { kTrusted, kNotMarkedYet };

/// The attributes of a cluster key on a member, for C_UnwrapKey: trusted, never extractable, not modifiable,
/// not copyable, of one mechanism. One that is to be marked is not trusted yet, and else the same: a key that
/// could be modified until then could be modified for ever (v2.40 §4.4). The key for backups is trusted too,
/// although it wraps nothing: only the officer can make a trusted object, so nobody plants another in its
/// place. CKA_DESTROYABLE stays true, or no generation could ever be retired.
[[nodiscard]] ObjectTemplate clusterKeyTemplate(const ClusterKey& key, const KeyName& name,
                                                const Profile& profile, Trust trust = Trust::kTrusted);

/// Throws `material-mismatch` unless the object is this cluster key with the attributes of
/// `clusterKeyTemplate`. CKA_ALLOWED_MECHANISMS is among them; the templates of wrapping keys are not,
/// because not every token shows them. CKA_TRUSTED may have either value if the key is not marked yet.
void requireClusterKey(Session& session, CK_OBJECT_HANDLE object, const ClusterKey& key, const KeyName& name,
                       const Profile& profile, Trust trust = Trust::kTrusted);

/// The secret keys with the name's CKA_ID, at most 16.
[[nodiscard]] std::vector<CK_OBJECT_HANDLE> findClusterKey(Session& session, const KeyName& name);

}  // namespace holdfast
