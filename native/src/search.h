/// \file One search for objects (PKCS#11 v2.40 §5.7 C_FindObjectsInit, C_FindObjects, C_FindObjectsFinal).
#pragma once

#include <unordered_set>
#include <vector>

#include "session.h"

namespace holdfast {

/// Ends with the scope: a search left open blocks its session.
class Search {
 public:
  /// The most objects that one search may find: about 50 MB of ours. A token that shows more is taken for one
  /// whose search never ends. HSM partitions hold at most some hundred thousand.
  static constexpr size_t kMostObjects = 1'000'000;

  /// An empty template finds every object.
  Search(Session& session, CK_ATTRIBUTE* attributes, CK_ULONG count);
  Search(const Search&) = delete;
  Search& operator=(const Search&) = delete;
  ~Search();

  /// At most `most` further handles; none when the search is at its end. A token may give fewer than it has
  /// left (§5.7), so only an empty answer is the end. Throws `bad-output` for more handles than were asked
  /// for, an invalid one, one that this search gave before, and beyond `kMostObjects`.
  std::vector<CK_OBJECT_HANDLE> next(size_t most);

 private:
  void note(CK_OBJECT_HANDLE handle);

  Session& session_;
  std::unordered_set<CK_OBJECT_HANDLE> seen_;
};

}  // namespace holdfast
