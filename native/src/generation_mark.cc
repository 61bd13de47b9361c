#include "generation_mark.h"

#include <algorithm>
#include <string>
#include <vector>

#include "failure.h"
#include "object_template.h"
#include "search.h"

namespace holdfast {
namespace {

constexpr size_t kMostMarks = 16;

ByteView viewOf(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

/// The attributes by which a mark is made and found.
ObjectTemplate nameOf(const Generation& generation) {
  ObjectTemplate mark;
  const std::string label =
      "holdfast/" + generation.cluster + "/" + std::to_string(generation.number) + "/complete";
  mark.number(CKA_CLASS, CKO_DATA).bytes(CKA_LABEL, viewOf(label));
  return mark;
}

std::vector<CK_OBJECT_HANDLE> findMarks(Session& session, const Generation& generation) {
  auto query = nameOf(generation);
  Search search(session, query.data(), query.size());
  std::vector<CK_OBJECT_HANDLE> marks;
  for (auto more = search.next(kMostMarks); !more.empty(); more = search.next(kMostMarks - marks.size())) {
    marks.insert(marks.end(), more.begin(), more.end());
    if (marks.size() == kMostMarks) break;
  }
  return marks;
}

Sha256 readDigest(Session& session, CK_OBJECT_HANDLE mark) {
  // Room for more, so that a longer value is noticed.
  std::array<uint8_t, 2 * sizeof(Sha256)> room{};
  CK_ATTRIBUTE query{CKA_VALUE, room.data(), room.size()};
  check(Function::C_GetAttributeValue,
        session.functions().C_GetAttributeValue(session.handle(), mark, &query, 1));
  Sha256 digest{};
  if (query.ulValueLen != digest.size())
    throw badOutput(Function::C_GetAttributeValue, "the mark of a generation is no digest");
  std::copy_n(room.begin(), digest.size(), digest.begin());
  return digest;
}

}  // namespace

std::optional<Sha256> readMark(Session& session, const Generation& generation) {
  std::optional<Sha256> known;
  for (const CK_OBJECT_HANDLE mark : findMarks(session, generation)) {
    const auto digest = readDigest(session, mark);
    if (known && *known != digest)
      throw badOutput(Function::C_GetAttributeValue, "two marks of one generation differ");
    known = digest;
  }
  return known;
}

void writeMark(Session& session, const Generation& generation, const Sha256& digest) {
  auto mark = nameOf(generation);
  mark.flag(CKA_TOKEN, true).flag(CKA_PRIVATE, false).bytes(CKA_VALUE, digest).flag(CKA_MODIFIABLE, false);
  CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
  check(Function::C_CreateObject,
        session.functions().C_CreateObject(session.handle(), mark.data(), mark.size(), &made));
  if (made == CK_INVALID_HANDLE) throw badOutput(Function::C_CreateObject, "the mark has no handle");
}

}  // namespace holdfast
