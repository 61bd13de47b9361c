#include "search.h"

#include <algorithm>

#include "failure.h"

namespace holdfast {

Search::Search(Session& session, CK_ATTRIBUTE* attributes, CK_ULONG count) : session_(session) {
  check("C_FindObjectsInit", session_.functions().C_FindObjectsInit(session_.handle(), attributes, count));
}

Search::~Search() { session_.functions().C_FindObjectsFinal(session_.handle()); }

std::vector<CK_OBJECT_HANDLE> Search::next(size_t most) {
  std::vector<CK_OBJECT_HANDLE> handles(most);
  CK_ULONG found = 0;
  check("C_FindObjects", session_.functions().C_FindObjects(session_.handle(), handles.data(), most, &found));
  handles.resize(std::min<size_t>(found, most));
  return handles;
}

}  // namespace holdfast
