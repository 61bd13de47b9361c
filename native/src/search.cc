#include "search.h"

#include "failure.h"

namespace holdfast {

Search::Search(Session& session, CK_ATTRIBUTE* attributes, CK_ULONG count) : session_(session) {
  auto& functions = session_.functions();
  session_.begin(Function::C_FindObjectsInit, [&](CK_SESSION_HANDLE handle) {
    return functions.C_FindObjectsInit(handle, attributes, count);
  });
}

Search::~Search() { session_.functions().C_FindObjectsFinal(session_.handle()); }

std::vector<CK_OBJECT_HANDLE> Search::next(size_t most) {
  std::vector<CK_OBJECT_HANDLE> handles(most);
  CK_ULONG found = 0;
  check(Function::C_FindObjects,
        session_.functions().C_FindObjects(session_.handle(), handles.data(), most, &found));
  if (found > most)
    throw badOutput(Function::C_FindObjects, "the search gave more handles than were asked for");
  handles.resize(found);
  for (const CK_OBJECT_HANDLE handle : handles) note(handle);
  return handles;
}

void Search::note(CK_OBJECT_HANDLE handle) {
  if (handle == CK_INVALID_HANDLE) throw badOutput(Function::C_FindObjects, "an invalid handle");
  if (!seen_.insert(handle).second)
    throw badOutput(Function::C_FindObjects, "the search gave one handle twice");
  if (seen_.size() > kMostObjects) throw badOutput(Function::C_FindObjects, "the search does not end");
}

}  // namespace holdfast
