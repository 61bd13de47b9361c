#include "attributes.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "failure.h"
#include "return_values.h"

namespace holdfast {
namespace {

/// The longest label or id of ours; longer ones read as empty.
constexpr size_t kLongestText = 512;

/// NSS 3.87.1 answers CKR_BUFFER_TOO_SMALL if a number has more room than it needs (measured).
size_t roomFor(CK_ATTRIBUTE_TYPE type) {
  const bool isNumber = type == CKA_CLASS || type == CKA_KEY_TYPE || type == CKA_VALUE_LEN;
  return isNumber ? sizeof(CK_ULONG) : kLongestText;
}

/// Fills the room before the call: all ones is never a valid flag or number.
constexpr uint8_t kUnwritten = 0xff;

/// Attributes that are asked for in one call; each has its own room. Of what the token puts out only lengths
/// and bytes are read, never pointers and types. If it answers CKR_OK, an impossible value throws
/// `bad-output`; otherwise an attribute that is not as it should be counts as one that the token lacks.
template <size_t N>
class AttributeQuery {
 public:
  explicit AttributeQuery(const std::array<CK_ATTRIBUTE_TYPE, N>& types) : types_(types) {
    for (size_t i = 0; i < N; ++i) {
      room_[i].fill(kUnwritten);
      attributes_[i] = {types[i], room_[i].data(), roomFor(types[i])};
    }
  }

  /// The token fills in what it has. An attribute that it lacks or hides has no length afterwards (§5.7): not
  /// an error here.
  void ask(Session& session, CK_OBJECT_HANDLE object) {
    const CK_RV rv = session.functions().C_GetAttributeValue(session.handle(), object, attributes_.data(), N);
    if (!returnValue(rv).attributesPartial()) check(Function::C_GetAttributeValue, rv);
    isWhole_ = rv == CKR_OK;
  }

  /// The attribute's bytes; empty if the token lacks it.
  ByteView bytes(CK_ATTRIBUTE_TYPE type) const {
    const auto index = static_cast<size_t>(std::ranges::find(types_, type) - types_.begin());
    const CK_ULONG length = attributes_.at(index).ulValueLen;
    if (length == CK_UNAVAILABLE_INFORMATION) return {};
    if (length <= roomFor(type)) return ByteView(room_[index]).first(length);
    require(false, "an attribute is longer than the room that it was given");
    return {};
  }

  std::string text(CK_ATTRIBUTE_TYPE type) const {
    const ByteView view = bytes(type);
    return {view.begin(), view.end()};
  }

  bool flag(CK_ATTRIBUTE_TYPE type) const {
    const ByteView view = bytes(type);
    if (view.empty()) return false;
    const bool isFlag = view.size() == sizeof(CK_BBOOL) && (view[0] == CK_TRUE || view[0] == CK_FALSE);
    require(isFlag, "an attribute that is true or false is neither");
    return isFlag && view[0] == CK_TRUE;
  }

  std::optional<CK_ULONG> number(CK_ATTRIBUTE_TYPE type) const {
    const ByteView view = bytes(type);
    if (view.empty()) return std::nullopt;
    CK_ULONG value = CK_UNAVAILABLE_INFORMATION;
    if (view.size() == sizeof value) std::memcpy(&value, view.data(), sizeof value);
    // Classes, types and lengths have 32 bits, those of vendors among them.
    const bool isNumber = value <= 0xffffffff;
    require(isNumber, "an attribute that must be a number is not one");
    return isNumber ? std::optional(value) : std::nullopt;
  }

  /// Every object has a class (§4.4).
  CK_OBJECT_CLASS objectClass() const {
    const auto read = number(CKA_CLASS);
    require(read.has_value(), "an object has no class");
    return read.value_or(CK_UNAVAILABLE_INFORMATION);
  }

 private:
  void require(bool holds, const char* what) const {
    if (isWhole_ && !holds) throw badOutput(Function::C_GetAttributeValue, what);
  }

  const std::array<CK_ATTRIBUTE_TYPE, N> types_;
  /// Whether the token answered CKR_OK, which says that it filled in all that was asked for.
  bool isWhole_ = false;
  std::array<std::array<uint8_t, kLongestText>, N> room_{};
  std::array<CK_ATTRIBUTE, N> attributes_{};
};

}  // namespace

KeyAttributes readKeyAttributes(Session& session, CK_OBJECT_HANDLE object) {
  AttributeQuery<23> query({CKA_CLASS,
                            CKA_ID,
                            CKA_LABEL,
                            CKA_KEY_TYPE,
                            CKA_VALUE_LEN,
                            CKA_SENSITIVE,
                            CKA_ALWAYS_SENSITIVE,
                            CKA_EXTRACTABLE,
                            CKA_NEVER_EXTRACTABLE,
                            CKA_LOCAL,
                            CKA_PRIVATE,
                            CKA_TOKEN,
                            CKA_MODIFIABLE,
                            CKA_COPYABLE,
                            CKA_WRAP_WITH_TRUSTED,
                            CKA_TRUSTED,
                            CKA_ENCRYPT,
                            CKA_DECRYPT,
                            CKA_SIGN,
                            CKA_VERIFY,
                            CKA_WRAP,
                            CKA_UNWRAP,
                            CKA_DERIVE});
  query.ask(session, object);
  KeyAttributes read;
  const ByteView id = query.bytes(CKA_ID);
  read.objectClass = query.objectClass();
  read.id.assign(id.begin(), id.end());
  read.label = query.text(CKA_LABEL);
  read.keyType = query.number(CKA_KEY_TYPE).value_or(CK_UNAVAILABLE_INFORMATION);
  read.valueLength = query.number(CKA_VALUE_LEN);
  read.sensitive = query.flag(CKA_SENSITIVE);
  read.alwaysSensitive = query.flag(CKA_ALWAYS_SENSITIVE);
  read.extractable = query.flag(CKA_EXTRACTABLE);
  read.neverExtractable = query.flag(CKA_NEVER_EXTRACTABLE);
  read.local = query.flag(CKA_LOCAL);
  read.isPrivate = query.flag(CKA_PRIVATE);
  read.isToken = query.flag(CKA_TOKEN);
  read.modifiable = query.flag(CKA_MODIFIABLE);
  read.copyable = query.flag(CKA_COPYABLE);
  read.wrapWithTrusted = query.flag(CKA_WRAP_WITH_TRUSTED);
  read.trusted = query.flag(CKA_TRUSTED);
  read.encrypt = query.flag(CKA_ENCRYPT);
  read.decrypt = query.flag(CKA_DECRYPT);
  read.sign = query.flag(CKA_SIGN);
  read.verify = query.flag(CKA_VERIFY);
  read.wrap = query.flag(CKA_WRAP);
  read.unwrap = query.flag(CKA_UNWRAP);
  read.derive = query.flag(CKA_DERIVE);
  return read;
}

std::optional<ObjectSummary> readSummary(Session& session, CK_OBJECT_HANDLE object) {
  AttributeQuery<3> query({CKA_CLASS, CKA_ID, CKA_LABEL});
  try {
    query.ask(session, object);
  } catch (const Failure& failure) {
    // A process that was killed inside C_GenerateKey leaves a half-made object on SoftHSM, without CKA_CLASS
    // or CKA_KEY_TYPE: every question about it fails. Such an object must not make the whole token unusable.
    // At its end, the inventory checks the token itself.
    const auto& answer = returnValue(failure.rv);
    if (answer.objectLost || answer.couldBeHalfMade) return std::nullopt;
    throw;
  }
  const ByteView id = query.bytes(CKA_ID);
  return ObjectSummary{object, query.objectClass(), {id.begin(), id.end()}, query.text(CKA_LABEL)};
}

}  // namespace holdfast
