/// \file The attacks that the check of trust tries after a ceremony (docs/decisions/0016 says which attribute
/// stops which).
#pragma once

#include <array>
#include <span>

#include "cluster_keys.h"
#include "failure.h"
#include "profile.h"
#include "session.h"

namespace holdfast {

/// One attacker at one token, for one attack.
struct Scene {
  /// The attack's own session: the session objects that it makes end with it, and nothing else is made.
  Session& session;
  const Profile& profile;
  /// Whether the user is logged in. Otherwise the attacker has no PIN, and makes public objects.
  bool isUser = false;
  /// The keys of the generation, in the order of kClusterKeys; CK_INVALID_HANDLE for one that is not there.
  std::array<CK_OBJECT_HANDLE, kClusterKeys.size()> clusterKeys{};
  /// Index of the cluster key under attack, if the attack is on one.
  size_t target = 0;

  CK_FUNCTION_LIST& functions() const { return session.functions(); }
  CK_OBJECT_HANDLE clusterKey() const { return clusterKeys.at(target); }
  /// Only for an attack on a wrapping key.
  WrappingKeyKind kind() const { return kClusterKeys.at(target).wraps.value(); }
};

/// The keys that an attack is tried on.
enum class Target : uint8_t { kOwnKeys, kEachClusterKey, kEachWrappingKey };

/// Who tries it.
enum class Attacker : uint8_t { kAnyone, kWithPin, kWithoutPin };

struct Attack {
  /// Stable, for the ceremony's record.
  const char* name;
  /// Whether it gained something. Throws the token's refusal; NotTried before the attack has begun.
  bool (*gains)(const Scene& scene);
  Target target = Target::kOwnKeys;
  Attacker by = Attacker::kAnyone;
};

/// What an attack needs could not be made.
struct NotTried {
  Failure cause;
};

/// Makes what an attack needs. Its failure is no refusal of the attack.
template <typename Make>
auto prepared(const Make& make) {
  try {
    return make();
  } catch (const Failure& failure) {
    throw NotTried{failure};
  }
}

/// A trusted key of one's own wraps every key.
[[nodiscard]] std::span<const Attack> attacksByTrust();
/// On a throwaway key with the attributes of a KMS key.
[[nodiscard]] std::span<const Attack> attacksOnKeys();
/// A throwaway key's blob, unwrapped as something else.
[[nodiscard]] std::span<const Attack> attacksByUnwrapping();
/// On the cluster keys themselves.
[[nodiscard]] std::span<const Attack> attacksOnClusterKeys();

}  // namespace holdfast
