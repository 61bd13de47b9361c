/// \file The ceremony that gives all members of a wrapped cluster the same cluster keys. Offline, by an
/// operator with the PINs of officers and users; docs/decisions/0016 says which attacks each step stops.
///
/// Every step first looks at what is there. A ceremony that was broken off, at whatever call, is completed by
/// running it again: the unfinished generation is destroyed on every member and made anew, unless some member
/// has its mark. Then all members have all keys, and only the other marks are missing.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "carried_keys.h"
#include "ceremony_token.h"

namespace holdfast {

/// One run: logIn for each member, prepare, complete. Used by one thread. All failures have the index of
/// their member; after one, begin again with a new Ceremony.
class Ceremony {
 public:
  /// `enforced` goes into the marks: whether every member must enforce trust.
  /// @throws Failure `token-missing` if there is no member, or two are one token
  Ceremony(Generation generation, std::vector<CeremonyMember> members, bool enforced = true);
  Ceremony(const Ceremony&) = delete;
  Ceremony& operator=(const Ceremony&) = delete;

  /// Calls C_Login as the member's maker of keys, once; the login lasts as long as this object. The first
  /// member in the list makes the keys.
  void logIn(size_t member, const Secret& pin);

  /// Destroys an unfinished generation and makes the carry keys. Their fingerprints are to be compared before
  /// `complete`: whoever replaces a carry key on its way gets all cluster keys. None if nothing will be
  /// carried: some member has the generation's mark, or all have the same keys and an officer was to mark
  /// them; `anew` destroys the latter instead.
  [[nodiscard]] std::vector<CarryKeyFingerprint> prepare(bool anew = false);

  /// Carries the keys and checks that all members have the same ones. If all are trusted, marks the
  /// generation as complete; otherwise call it again when an officer has marked them.
  ///
  /// Whoever had a user's PIN can have put keys there that were there before this run and that an officer
  /// marks, and a mark beside them. Of such keys the first call only tells the digest, even if all are
  /// trusted: compare it with that of the run that made them, and call again.
  /// @throws Failure `material-missing`, `material-mismatch` if the generation has a mark and is not the same
  /// on all members: it may have been in use, so it is kept, and the cluster needs a new one.
  /// `material-mismatch` too if the keys were replaced while they waited, `material-ambiguous` if another
  /// object has the label of one that an officer marks
  [[nodiscard]] CarriedKeysState complete();

 private:
  /// Calls `step` for each member, and attributes its failures.
  template <typename Step>
  void forEachMember(const Step& step);
  [[nodiscard]] bool anyHasMark();
  [[nodiscard]] bool anyMarksLater();
  /// Whether an earlier run left all keys on all members, for an officer to mark.
  [[nodiscard]] bool waitForMarks();
  void carry();
  [[nodiscard]] Sha256 requireSameKeys();
  [[nodiscard]] std::vector<UnmarkedKey> unmarkedKeys();

  const Generation generation_;
  const std::vector<CeremonyMember> members_;
  const bool enforced_;
  std::vector<std::unique_ptr<CeremonyToken>> tokens_;
  /// Whether all members have the keys: nothing is carried any more.
  bool present_ = false;
  /// Whether the keys were there before this run, made by a user, and nobody has said yet whose they are.
  bool areUnconfirmed_ = false;
  std::optional<Sha256> digest_;
};

}  // namespace holdfast
