/// \file One search for objects (PKCS#11 v2.40 §5.7 C_FindObjectsInit, C_FindObjects, C_FindObjectsFinal).
#pragma once

#include <vector>

#include "session.h"

namespace holdfast {

/// Ends with the scope: a search left open blocks its session.
class Search {
 public:
  /// An empty template finds every object.
  Search(Session& session, CK_ATTRIBUTE* attributes, CK_ULONG count);
  Search(const Search&) = delete;
  Search& operator=(const Search&) = delete;
  ~Search();

  /// At most `most` further handles; none when the search is at its end.
  std::vector<CK_OBJECT_HANDLE> next(size_t most);

 private:
  Session& session_;
};

}  // namespace holdfast
