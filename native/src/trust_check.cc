#include "trust_check.h"

#include <optional>

#include "attacks/attack.h"
#include "return_values.h"

namespace holdfast {
namespace {

constexpr CK_FLAGS kNoTryToWaste = CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED;

void logIn(Token& token, const Secret& pin, Deadline deadline) {
  if ((token.info().flags & kNoTryToWaste) != 0) {
    Failure locked = rvFailure(Function::C_Login, CKR_PIN_LOCKED);
    locked.detail = "the user's PIN is locked, or one try is left: it was not tried";
    throw Failure(locked);
  }
  token.login(pin, deadline);
}

bool forbids(const Failure& failure) {
  return failure.kind == FailureKind::kRv && returnValue(failure.rv).forbids;
}

AttackOutcome outcomeOf(bool held, const Failure& failure, const std::string& detail) {
  return {"", held, failure.rv, detail + messageOf(failure)};
}

/// All attacks at one token.
class TrustCheck {
 public:
  TrustCheck(const CeremonyMember& member, const Generation& generation, bool isUser)
      : member_(member), generation_(generation), isUser_(isUser), session_(*member.token) {
    for (size_t i = 0; i < kClusterKeys.size(); ++i) {
      const auto found = findClusterKey(session_, nameOf(generation, kClusterKeys.at(i)));
      counts_.at(i) = found.size();
      if (found.size() == 1) keys_.at(i) = found.front();
    }
  }

  void tryAll(std::span<const Attack> attacks, Deadline deadline) {
    for (const auto& attack : attacks) {
      if (attack.by == (isUser_ ? Attacker::kWithoutPin : Attacker::kWithPin)) continue;
      for (const auto target : targetsOf(attack)) {
        if (Clock::now() >= deadline) throw failure(FailureKind::kLaneDeadline, "the deadline passed");
        outcomes_.push_back(tryOn(attack, target));
      }
    }
  }

  std::vector<AttackOutcome> takeOutcomes() { return std::move(outcomes_); }

 private:
  /// The cluster keys that it is tried on; one that is none if it needs no cluster key.
  static std::vector<std::optional<size_t>> targetsOf(const Attack& attack) {
    if (attack.target == Target::kOwnKeys) return {std::nullopt};
    std::vector<std::optional<size_t>> targets;
    for (size_t i = 0; i < kClusterKeys.size(); ++i) {
      if (kClusterKeys.at(i).wraps || attack.target == Target::kEachClusterKey) targets.emplace_back(i);
    }
    return targets;
  }

  AttackOutcome tryOn(const Attack& attack, std::optional<size_t> target) {
    auto outcome = target && keys_.at(*target) == CK_INVALID_HANDLE ? withoutKey(*target)
                                                                    : run(attack, target.value_or(0));
    outcome.attack = attack.name;
    if (target) outcome.attack += std::string("-") + kClusterKeys.at(*target).name;
    return outcome;
  }

  [[nodiscard]] AttackOutcome withoutKey(size_t target) const {
    const std::string label = nameOf(generation_, kClusterKeys.at(target)).label;
    if (counts_.at(target) > 1) return {"", false, CKR_OK, "not tried: more than one key is called " + label};
    if (!isUser_ && member_.profile.clusterKeysArePrivate)
      return {"", true, CKR_OK, "the key cannot be seen without a PIN"};
    return {"", false, CKR_OK, "not tried: the token has no key " + label};
  }

  [[nodiscard]] AttackOutcome run(const Attack& attack, size_t target) const {
    // Its session objects end with it, whatever happens.
    Session session(*member_.token);
    try {
      const bool gained = attack.gains({session, member_.profile, isUser_, keys_, target});
      if (gained) return {"", false, CKR_OK, "the attack succeeded"};
      return {"", true, CKR_OK, "the token refused nothing, and nothing was gained"};
    } catch (const NotTried& error) {
      // Whoever may not even use the keys rightly cannot misuse them.
      if (!isUser_ && forbids(error.cause)) return outcomeOf(true, error.cause, "refused without a PIN: ");
      return outcomeOf(false, error.cause, "not tried: ");
    } catch (const Failure& failure) {
      if (forbids(failure)) return outcomeOf(true, failure, "refused: ");
      return outcomeOf(false, failure, "failed, but not because a rule forbids it: ");
    }
  }

  const CeremonyMember& member_;
  const Generation& generation_;
  const bool isUser_;
  /// Without a session the handles of the keys would not stay valid.
  Session session_;
  std::array<CK_OBJECT_HANDLE, kClusterKeys.size()> keys_{};
  std::array<size_t, kClusterKeys.size()> counts_{};
  std::vector<AttackOutcome> outcomes_;
};

}  // namespace

std::vector<AttackOutcome> checkTrust(const CeremonyMember& member, const Generation& generation,
                                      const Secret* userPin, Deadline deadline) {
  if (userPin != nullptr) logIn(*member.token, *userPin, deadline);
  TrustCheck check(member, generation, userPin != nullptr);
  for (const auto& attacks :
       {attacksByTrust(), attacksOnKeys(), attacksByUnwrapping(), attacksOnClusterKeys()})
    check.tryAll(attacks, deadline);
  // A token that has gone refuses everything.
  if (!member.token->isInItsSlot()) throw rvFailure(Function::C_GetTokenInfo, CKR_DEVICE_REMOVED);
  return check.takeOutcomes();
}

}  // namespace holdfast
