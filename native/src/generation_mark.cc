#include "generation_mark.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <string_view>

#include "attributes.h"
#include "failure.h"
#include "object_template.h"
#include "return_values.h"
#include "search.h"

namespace holdfast {
namespace {

/// A cluster makes a generation when its members change: no cluster has that many.
constexpr size_t kMostMarks = 256;
constexpr std::string_view kLabelEnd = "/complete";

ByteView viewOf(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string prefixOf(const std::string& cluster) { return "holdfast/" + cluster; }

std::string labelOf(const Generation& generation) {
  return prefixOf(generation.cluster) + "/" + std::to_string(generation.number) + std::string(kLabelEnd);
}

/// The attributes by which all marks of a cluster are found.
ObjectTemplate marksOf(const std::string& cluster) {
  ObjectTemplate marks;
  return std::move(marks.number(CKA_CLASS, CKO_DATA).bytes(CKA_APPLICATION, viewOf(prefixOf(cluster))));
}

/// The attributes by which a mark is made and found.
ObjectTemplate nameOf(const Generation& generation) {
  auto mark = marksOf(generation.cluster);
  return std::move(mark.bytes(CKA_LABEL, viewOf(labelOf(generation))));
}

std::vector<CK_OBJECT_HANDLE> find(Session& session, ObjectTemplate query) {
  Search search(session, query.data(), query.size());
  std::vector<CK_OBJECT_HANDLE> marks;
  for (auto more = search.next(kMostMarks); !more.empty(); more = search.next(kMostMarks)) {
    marks.insert(marks.end(), more.begin(), more.end());
    if (marks.size() > kMostMarks) throw badOutput(Function::C_FindObjects, "a cluster has too many marks");
  }
  return marks;
}

/// Zero unless the label is that of a mark of this cluster.
uint32_t numberIn(const std::string& label, const std::string& cluster) {
  const size_t start = prefixOf(cluster).size() + 1;
  uint32_t number = 0;
  if (label.size() < start) return 0;
  std::from_chars(label.data() + start, label.data() + label.size(), number);
  return label == labelOf({cluster, number}) ? number : 0;
}

/// None if the value is no digest.
std::optional<Sha256> findDigest(Session& session, CK_OBJECT_HANDLE mark) {
  // Room for more, so that a longer value is noticed.
  std::array<uint8_t, 2 * sizeof(Sha256)> room{};
  CK_ATTRIBUTE query{CKA_VALUE, room.data(), room.size()};
  const CK_RV rv = session.functions().C_GetAttributeValue(session.handle(), mark, &query, 1);
  if (returnValue(rv).bufferTooSmall) return std::nullopt;
  check(Function::C_GetAttributeValue, rv);
  Sha256 digest{};
  if (query.ulValueLen != digest.size()) return std::nullopt;
  std::copy_n(room.begin(), digest.size(), digest.begin());
  return digest;
}

Sha256 readDigest(Session& session, CK_OBJECT_HANDLE mark) {
  const auto digest = findDigest(session, mark);
  if (!digest) throw badOutput(Function::C_GetAttributeValue, "the mark of a generation is no digest");
  return *digest;
}

/// The digests that the marks of each generation have; one that is no digest is none.
using Digests = std::map<uint32_t, std::vector<std::optional<Sha256>>>;

Digests digestsOf(Session& session, const std::string& cluster) {
  Digests digests;
  for (const CK_OBJECT_HANDLE mark : find(session, marksOf(cluster))) {
    const auto summary = readSummary(session, mark);
    const uint32_t number = summary ? numberIn(summary->label, cluster) : 0;
    if (number > 0) digests[number].push_back(findDigest(session, mark));
  }
  return digests;
}

}  // namespace

std::optional<Sha256> readMark(Session& session, const Generation& generation) {
  std::optional<Sha256> known;
  for (const CK_OBJECT_HANDLE mark : find(session, nameOf(generation))) {
    const auto digest = readDigest(session, mark);
    if (known && *known != digest)
      throw badOutput(Function::C_GetAttributeValue, "two marks of one generation differ");
    known = digest;
  }
  return known;
}

std::vector<MarkedGeneration> readMarks(Session& session, const std::string& cluster) {
  std::vector<MarkedGeneration> marked;
  for (const auto& [number, digests] : digestsOf(session, cluster)) {
    const auto& first = digests.front();
    const bool agree = std::ranges::all_of(digests, [&first](const auto& one) { return one == first; });
    if (agree && first) marked.push_back({number, *first});
  }
  return marked;
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
