/// \file The ceremony that gives all members of a wrapped cluster the same cluster keys. Offline, by an
/// operator with the officers' PINs; docs/decisions/0016 says which attacks each step stops.
///
/// Every step first looks at what is there. A ceremony that was broken off, at whatever call, is completed by
/// running it again: the unfinished generation is destroyed on every member and made anew, unless some member
/// has its mark. Then all members have all keys, and only the other marks are missing.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ceremony_token.h"

namespace holdfast {

/// One run: logIn for each member, prepare, complete. Used by one thread. All failures have the index of
/// their member; after one, begin again with a new Ceremony.
class Ceremony {
 public:
  /// @throws Failure `token-missing` if there is no member, or two are one token
  Ceremony(Generation generation, std::vector<CeremonyMember> members);
  Ceremony(const Ceremony&) = delete;
  Ceremony& operator=(const Ceremony&) = delete;

  /// Calls C_Login as the security officer, once; the login lasts as long as this object. The first member in
  /// the list makes the keys.
  void logIn(size_t member, const Secret& officerPin);

  /// Destroys an unfinished generation and makes the carry keys. Their fingerprints are to be compared before
  /// `complete`: whoever replaces a carry key on its way gets all cluster keys. None if some member has the
  /// generation's mark: then nothing will be carried.
  [[nodiscard]] std::vector<CarryKeyFingerprint> prepare();

  /// Carries the keys, checks that all members have the same ones, and marks the generation as complete.
  /// Returns its digest, which belongs into the ceremony's record.
  /// @throws Failure `material-missing`, `material-mismatch` if the generation has a mark and is not the same
  /// on all members: it may have been in use, so it is kept, and the cluster needs a new one
  [[nodiscard]] Sha256 complete();

 private:
  /// Calls `step` for each member, and attributes its failures.
  template <typename Step>
  void forEachMember(const Step& step);
  [[nodiscard]] bool anyHasMark();
  void carry();
  [[nodiscard]] Sha256 requireSameKeys();

  const Generation generation_;
  const std::vector<CeremonyMember> members_;
  std::vector<std::unique_ptr<CeremonyToken>> tokens_;
};

}  // namespace holdfast
