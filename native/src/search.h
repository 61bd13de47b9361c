/// \file One search for objects (PKCS#11 v2.40 §5.7 C_FindObjectsInit, C_FindObjects, C_FindObjectsFinal).
#pragma once

#include <unordered_set>
#include <vector>

#include "session.h"

namespace holdfast {

/// A search that ends with its scope, because one left open blocks its session.
class Search {
 public:
  /// The most objects that one search may find: about 50 MB of our memory. Beyond it the search is taken to
  /// be endless. HSM partitions hold a few hundred thousand objects at most.
  static constexpr size_t kMostObjects = 1'000'000;

  /// An empty template finds every object.
  Search(Session& session, CK_ATTRIBUTE* attributes, CK_ULONG count);
  Search(const Search&) = delete;
  Search& operator=(const Search&) = delete;
  ~Search();

  /// At most `most` further handles; none at the end of the search. A token may give fewer than it has left
  /// (§5.7), so only an empty answer is the end. Throws `bad-output` for an invalid handle, one that this
  /// search gave before, more of them than were asked for, and beyond `kMostObjects`.
  [[nodiscard]] std::vector<CK_OBJECT_HANDLE> next(size_t most);

 private:
  void note(CK_OBJECT_HANDLE handle);

  Session& session_;
  std::unordered_set<CK_OBJECT_HANDLE> seen_;
};

}  // namespace holdfast
