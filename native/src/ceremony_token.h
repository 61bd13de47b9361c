/// \file One member's part in a ceremony: what the maker of its keys does on its token.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "carry_key.h"
#include "ceremony_session.h"
#include "cluster_keys.h"
#include "generation_mark.h"

namespace holdfast {

/// A token that takes part. Nobody else in the process is logged in to it.
struct CeremonyMember {
  /// Its name in the configuration.
  std::string name;
  std::shared_ptr<Token> token;
  Profile profile;
  /// Whose PIN the ceremony needs.
  KeyMaker maker = KeyMaker::kOfficer;
  /// Bits of its carry key, a multiple of 8. Fewer only for a token that makes no longer RSA keys.
  CK_ULONG carryKeyBits = kCarryKeyBits;
};

/// The cluster keys, each encrypted for one member.
using CarriedKeys = std::array<Bytes, kClusterKeys.size()>;

/// A member on whose token the maker of its keys is logged in.
class CeremonyToken {
 public:
  /// Calls C_Login once. The member outlives this.
  CeremonyToken(const CeremonyMember& member, const Secret& pin);

  /// The mark of the generation, if the token has one.
  [[nodiscard]] std::optional<Mark> mark(const Generation& generation);
  void writeMark(const Generation& generation, const Mark& mark);

  /// Destroys all keys of a generation that was never in use.
  void discard(const Generation& generation);

  /// Makes the carry key. Needed before the next two.
  const RsaPublicKey& makeCarryKey();
  [[nodiscard]] bool hasCarryKey() const { return carryKey_.has_value(); }

  /// Makes the cluster keys and encrypts each for every one of these members. The originals, which can be
  /// extracted, are session objects; they are destroyed at once.
  [[nodiscard]] std::vector<CarriedKeys> makeKeys(const std::vector<const CeremonyToken*>& recipients);

  /// Makes the cluster keys from their encrypted form, as keys that never leave the token.
  void install(const Generation& generation, const CarriedKeys& keys);

  /// A digest of the check values of all keys of the generation. Throws `material-missing` or
  /// `material-ambiguous` unless there is one of each, and `material-mismatch` for a wrong attribute.
  [[nodiscard]] Sha256 digestOf(const Generation& generation);

  /// Whether an officer marks its keys, after they were made.
  [[nodiscard]] bool marksLater() const { return member_.maker == KeyMaker::kUserThenOfficer; }
  /// The keys of the generation that no officer has marked as trusted yet. Throws `material-ambiguous` if
  /// another object has the label of a key that an officer marks: the officer would find both by it.
  [[nodiscard]] std::vector<KeyName> unmarked(const Generation& generation);

 private:
  [[nodiscard]] Trust trust() const { return marksLater() ? Trust::kNotMarkedYet : Trust::kTrusted; }
  [[nodiscard]] CK_OBJECT_HANDLE makeOriginal(const ClusterKey& key);
  [[nodiscard]] CK_OBJECT_HANDLE findOne(const KeyName& name);
  void requireOneOfLabel(const std::string& label);
  void destroy(CK_OBJECT_HANDLE object);

  const CeremonyMember& member_;
  CeremonySession maker_;
  std::optional<CarryKey> carryKey_;
};

}  // namespace holdfast
