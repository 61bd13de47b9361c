#include "witness.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "attributes.h"
#include "failure.h"
#include "object_template.h"
#include "operation_context.h"
#include "return_values.h"
#include "search.h"
#include "sha256.h"
#include "witness_encoding.h"

namespace holdfast {
namespace {

constexpr std::array<uint8_t, 3> kExponent{0x01, 0x00, 0x01};
/// More than any witness has, so that a longer value is noticed.
constexpr size_t kRoom = 512;

ByteView viewOf(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

/// Where the witnesses of a cluster are, and in which form.
class WitnessPlace {
 public:
  WitnessPlace(const std::string& cluster, const Profile& profile)
      : application_("holdfast-witness/" + cluster),
        label_("holdfast/" + cluster + "/witness"),
        objectClass_(profile.marksArePublicKeys ? CKO_PUBLIC_KEY : CKO_DATA) {}

  bool isPublicKey() const { return objectClass_ == CKO_PUBLIC_KEY; }

  /// The attributes by which all witnesses are found. A data object must be private: anyone who reaches the
  /// token can plant a public one.
  ObjectTemplate name() const {
    ObjectTemplate name;
    name.number(CKA_CLASS, objectClass_).bytes(CKA_LABEL, viewOf(label_));
    if (isPublicKey()) return name;
    return std::move(name.bytes(CKA_APPLICATION, viewOf(application_)).flag(CKA_PRIVATE, true));
  }

  ObjectTemplate objectFor(const Witness& witness) const {
    auto object = name();
    object.flag(CKA_TOKEN, true);
    if (isPublicKey()) {
      const Bytes modulus = witnessModulus(witness);
      // A token may take two public keys with one CKA_ID for the same one.
      object.bytes(CKA_ID, sha256(modulus)).flag(CKA_PRIVATE, false);
      object.number(CKA_KEY_TYPE, CKK_RSA).bytes(CKA_MODULUS, modulus).bytes(CKA_PUBLIC_EXPONENT, kExponent);
      object.flags({CKA_ENCRYPT, CKA_VERIFY, CKA_VERIFY_RECOVER, CKA_WRAP, CKA_DERIVE}, false);
    } else {
      object.bytes(CKA_VALUE, encodeWitness(witness));
    }
    return std::move(object.flag(CKA_MODIFIABLE, false));
  }

  /// Nothing for a value of another form, and for an object that another process has removed meanwhile.
  std::optional<Witness> read(Session& session, CK_OBJECT_HANDLE object) const {
    std::array<uint8_t, kRoom> room{};
    CK_ATTRIBUTE query{isPublicKey() ? CKA_MODULUS : CKA_VALUE, room.data(), room.size()};
    const CK_RV rv = session.functions().C_GetAttributeValue(session.handle(), object, &query, 1);
    if (returnValue(rv).bufferTooSmall || returnValue(rv).objectLost) return std::nullopt;
    check(Function::C_GetAttributeValue, rv);
    if (query.ulValueLen > room.size()) return std::nullopt;
    const auto value = ByteView(room).first(query.ulValueLen);
    return isPublicKey() ? witnessInModulus(value) : decodeWitness(value);
  }

  /// At most `kMaxWitnesses` of them.
  std::vector<CK_OBJECT_HANDLE> find(OperationContext& context) const {
    auto query = name();
    Search search(context.session, query.data(), query.size());
    std::vector<CK_OBJECT_HANDLE> found;
    while (found.size() < kMaxWitnesses) {
      requireTimeLeft(context);
      const auto more = search.next(kMaxWitnesses - found.size());
      if (more.empty()) break;
      found.insert(found.end(), more.begin(), more.end());
    }
    return found;
  }

  /// Whether the object still has the name of a witness. Destroying by a handle that names something else now
  /// would be a calamity.
  bool names(Session& session, CK_OBJECT_HANDLE object) const {
    const auto summary = readSummary(session, object);
    return summary && summary->objectClass == objectClass_ && summary->label == label_;
  }

 private:
  const std::string application_;
  const std::string label_;
  const CK_OBJECT_CLASS objectClass_;
};

CK_OBJECT_HANDLE make(Session& session, const WitnessPlace& place, const Witness& witness) {
  auto wanted = place.objectFor(witness);
  CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
  check(Function::C_CreateObject,
        session.functions().C_CreateObject(session.handle(), wanted.data(), wanted.size(), &made));
  if (place.read(session, made) != witness)
    throw badOutput(Function::C_CreateObject, "the witness reads otherwise than it was written");
  return made;
}

void destroy(Session& session, CK_OBJECT_HANDLE object) {
  const CK_RV rv = session.functions().C_DestroyObject(session.handle(), object);
  // Another process has removed it.
  if (!returnValue(rv).objectLost) check(Function::C_DestroyObject, rv);
}

bool isLater(const std::optional<Witness>& one, const Witness& other) {
  return one && one->incarnation == other.incarnation && one->epoch > other.epoch;
}

}  // namespace

std::vector<Witness> readWitnesses(OperationContext& context, const std::string& cluster) {
  const WitnessPlace place(cluster, context.profile);
  std::vector<Witness> witnesses;
  for (const CK_OBJECT_HANDLE object : place.find(context)) {
    requireTimeLeft(context);
    if (auto witness = place.read(context.session, object)) witnesses.push_back(std::move(*witness));
  }
  return witnesses;
}

void writeWitness(OperationContext& context, const std::string& cluster, const Witness& witness) {
  auto& session = context.session;
  const WitnessPlace place(cluster, context.profile);
  const auto before = place.find(context);
  requireTimeLeft(context);
  // First, so that a token always has one, wherever this ends.
  const CK_OBJECT_HANDLE made = make(session, place, witness);
  for (const CK_OBJECT_HANDLE object : before) {
    requireTimeLeft(context);
    if (object == made || isLater(place.read(session, object), witness)) continue;
    if (place.names(session, object)) destroy(session, object);
  }
}

}  // namespace holdfast
