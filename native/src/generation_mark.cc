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

/// The byte behind the digest if trust is not enforced. A mark of an enforcing cluster is the digest alone.
constexpr uint8_t kUnenforced = 'u';
/// In a modulus each has a byte there: padding before the digest could not be told from the digest otherwise.
constexpr uint8_t kEnforced = 'e';
/// A modulus that tokens take: 2,048 bits and odd. Its content ends before the last byte; the rest is
/// padding.
constexpr size_t kModulusLength = 256;
constexpr uint8_t kPadding = 0xff;
constexpr uint8_t kLastByte = 0x01;
constexpr std::array<uint8_t, 3> kExponent{0x01, 0x00, 0x01};

ByteView viewOf(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string prefixOf(const std::string& cluster) { return "holdfast/" + cluster; }

std::string labelOf(const Generation& generation) {
  return prefixOf(generation.cluster) + "/" + std::to_string(generation.number) + std::string(kLabelEnd);
}

/// The attributes by which all marks of a cluster are found.
ObjectTemplate marksOf(const std::string& cluster, CK_OBJECT_CLASS objectClass) {
  const auto type = objectClass == CKO_DATA ? CKA_APPLICATION : CKA_ID;
  ObjectTemplate marks;
  return std::move(marks.number(CKA_CLASS, objectClass).bytes(type, viewOf(prefixOf(cluster))));
}

/// The attributes by which a mark is made and found.
ObjectTemplate nameOf(const Generation& generation, CK_OBJECT_CLASS objectClass) {
  auto mark = marksOf(generation.cluster, objectClass);
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

Bytes contentOf(const Mark& mark) {
  Bytes content(mark.digest.begin(), mark.digest.end());
  if (!mark.enforced) content.push_back(kUnenforced);
  return content;
}

Bytes modulusOf(const Mark& mark) {
  Bytes modulus(kModulusLength, kPadding);
  Bytes content(mark.digest.begin(), mark.digest.end());
  content.push_back(mark.enforced ? kEnforced : kUnenforced);
  std::ranges::copy(content, modulus.end() - 1 - static_cast<ptrdiff_t>(content.size()));
  modulus.back() = kLastByte;
  return modulus;
}

/// The first digest that a text holds, with what follows it.
std::optional<Mark> markIn(ByteView content) {
  Mark mark;
  mark.enforced = content.size() == mark.digest.size();
  if (!mark.enforced && (content.size() != mark.digest.size() + 1 || content.back() != kUnenforced))
    return std::nullopt;
  std::ranges::copy(content.first(mark.digest.size()), mark.digest.begin());
  return mark;
}

std::optional<Mark> markInModulus(ByteView modulus) {
  if (modulus.size() != kModulusLength) return std::nullopt;
  const auto content = modulus.subspan(kModulusLength - 2 - sizeof(Sha256), sizeof(Sha256) + 1);
  Mark mark;
  mark.enforced = content.back() == kEnforced;
  std::ranges::copy(content.first(mark.digest.size()), mark.digest.begin());
  if (!std::ranges::equal(modulusOf(mark), modulus)) return std::nullopt;
  return mark;
}

/// None if the object does not have the form of a mark.
std::optional<Mark> findContent(Session& session, CK_OBJECT_HANDLE object, CK_OBJECT_CLASS objectClass) {
  // Room for more, so that a longer value is noticed.
  std::array<uint8_t, 2 * kModulusLength> room{};
  CK_ATTRIBUTE query{objectClass == CKO_DATA ? CKA_VALUE : CKA_MODULUS, room.data(), room.size()};
  const CK_RV rv = session.functions().C_GetAttributeValue(session.handle(), object, &query, 1);
  if (returnValue(rv).bufferTooSmall) return std::nullopt;
  check(Function::C_GetAttributeValue, rv);
  if (query.ulValueLen > room.size()) return std::nullopt;
  const auto value = ByteView(room).first(query.ulValueLen);
  return objectClass == CKO_DATA ? markIn(value) : markInModulus(value);
}

Mark readContent(Session& session, CK_OBJECT_HANDLE object, CK_OBJECT_CLASS objectClass) {
  const auto mark = findContent(session, object, objectClass);
  if (!mark) throw badOutput(Function::C_GetAttributeValue, "the mark of a generation has another form");
  return *mark;
}

/// What the marks of each generation hold; none for one that has not the form of a mark.
using Contents = std::map<uint32_t, std::vector<std::optional<Mark>>>;

Contents contentsOf(Session& session, const std::string& cluster, CK_OBJECT_CLASS objectClass) {
  Contents contents;
  for (const CK_OBJECT_HANDLE object : find(session, marksOf(cluster, objectClass))) {
    const auto summary = readSummary(session, object);
    const uint32_t number = summary ? numberIn(summary->label, cluster) : 0;
    if (number > 0) contents[number].push_back(findContent(session, object, objectClass));
  }
  return contents;
}

}  // namespace

std::optional<Mark> readMark(Session& session, const Generation& generation) {
  std::optional<Mark> known;
  for (const CK_OBJECT_CLASS objectClass : {CKO_DATA, CKO_PUBLIC_KEY}) {
    for (const CK_OBJECT_HANDLE object : find(session, nameOf(generation, objectClass))) {
      const auto mark = readContent(session, object, objectClass);
      if (known && *known != mark)
        throw badOutput(Function::C_GetAttributeValue, "two marks of one generation differ");
      known = mark;
    }
    if (known) break;
  }
  return known;
}

std::vector<MarkedGeneration> readMarks(Session& session, const std::string& cluster) {
  auto contents = contentsOf(session, cluster, CKO_DATA);
  // A second search costs as much as the first, which finds all marks on all tokens but those without data
  // objects.
  if (contents.empty()) contents = contentsOf(session, cluster, CKO_PUBLIC_KEY);
  std::vector<MarkedGeneration> marked;
  for (const auto& [number, marks] : contents) {
    const auto& first = marks.front();
    const bool agree = std::ranges::all_of(marks, [&first](const auto& one) { return one == first; });
    if (agree && first) marked.push_back({number, first->digest, first->enforced});
  }
  return marked;
}

void writeMark(Session& session, const Generation& generation, const Mark& mark, bool asPublicKey) {
  auto wanted = nameOf(generation, asPublicKey ? CKO_PUBLIC_KEY : CKO_DATA);
  wanted.flag(CKA_TOKEN, true).flag(CKA_PRIVATE, false);
  if (asPublicKey) {
    wanted.number(CKA_KEY_TYPE, CKK_RSA)
        .bytes(CKA_MODULUS, modulusOf(mark))
        .bytes(CKA_PUBLIC_EXPONENT, kExponent);
    wanted.flags({CKA_ENCRYPT, CKA_VERIFY, CKA_VERIFY_RECOVER, CKA_WRAP, CKA_DERIVE}, false);
  } else {
    wanted.bytes(CKA_VALUE, contentOf(mark));
  }
  wanted.flag(CKA_MODIFIABLE, false);
  CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
  check(Function::C_CreateObject,
        session.functions().C_CreateObject(session.handle(), wanted.data(), wanted.size(), &made));
  if (made == CK_INVALID_HANDLE) throw badOutput(Function::C_CreateObject, "the mark has no handle");
}

}  // namespace holdfast
