/// \file Members for ceremonies on SoftHSM, and what their tokens hold afterwards.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ceremony.h"
#include "core_fixture.h"

namespace holdfast {

/// SoftHSM 2.6.1's way.
Profile softHsmProfile();

/// A few members, each a SoftHSM token behind a fault-injecting module instance of its own.
class TestMembers {
 public:
  static constexpr const char* kOfficerPin = "12345678";

  /// A key of 2,048 bits takes a fifth of the time of the default's.
  explicit TestMembers(size_t count, CK_ULONG carryKeyBits = 2048);

  size_t size() const { return tokens_.size(); }
  const TestToken& token(size_t member) const { return *tokens_.at(member); }
  /// Opens new module instances, as a new process would: sessions, logins and session objects are gone.
  std::vector<CeremonyMember> open() const;
  /// A whole ceremony; throws its Failure.
  Sha256 run(const Generation& generation) const;
  void heal() const;

 private:
  const CK_ULONG carryKeyBits_;
  std::vector<std::unique_ptr<TestToken>> tokens_;
};

/// Logs the officer in to every member.
void logInAll(Ceremony& ceremony, size_t members);

/// A member's token with the user logged in.
class UserSession {
 public:
  explicit UserSession(CeremonyMember member);

  Session& session() { return session_; }
  const Profile& profile() const { return member_.profile; }
  /// How many token objects there are, private ones too.
  size_t objects();
  /// The one wrapping key of this kind.
  CK_OBJECT_HANDLE wrappingKey(const Generation& generation, WrappingKeyKind kind);

 private:
  CeremonyMember member_;
  Session session_;
};

}  // namespace holdfast
