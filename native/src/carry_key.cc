#include "carry_key.h"

#include <algorithm>
#include <array>

#include "attributes.h"
#include "failure.h"

namespace holdfast {
namespace {

constexpr std::array<uint8_t, 3> kExponent{0x01, 0x00, 0x01};
/// Room for a number of RSA, with more than it may have.
constexpr size_t kRoomForNumber = 1024;

/// RSA-OAEP without a label (PKCS#11 v2.40 mechanisms §2.1.8).
struct Oaep {
  explicit Oaep(const Profile& profile)
      : parameters{profile.oaepHash, profile.oaepMask, CKZ_DATA_SPECIFIED, nullptr, 0} {}
  Oaep(const Oaep&) = delete;
  Oaep& operator=(const Oaep&) = delete;

  CK_RSA_PKCS_OAEP_PARAMS parameters;
  CK_MECHANISM mechanism{CKM_RSA_PKCS_OAEP, &parameters, sizeof parameters};
};

ObjectTemplate publicHalf() {
  ObjectTemplate wanted;
  wanted.number(CKA_CLASS, CKO_PUBLIC_KEY).number(CKA_KEY_TYPE, CKK_RSA);
  wanted.flags({CKA_TOKEN, CKA_PRIVATE, CKA_ENCRYPT, CKA_VERIFY, CKA_VERIFY_RECOVER}, false);
  return std::move(wanted.flag(CKA_WRAP, true));
}

ObjectTemplate privateHalf(const Profile& profile) {
  ObjectTemplate wanted;
  wanted.number(CKA_CLASS, CKO_PRIVATE_KEY).number(CKA_KEY_TYPE, CKK_RSA);
  wanted.flag(CKA_TOKEN, false).flag(CKA_PRIVATE, profile.clusterKeysArePrivate);
  wanted.flag(CKA_SENSITIVE, true).flag(CKA_EXTRACTABLE, false).flag(CKA_UNWRAP, true);
  wanted.flags({CKA_DECRYPT, CKA_SIGN, CKA_SIGN_RECOVER, CKA_DERIVE}, false);
  return std::move(wanted.onlyMechanism(CKM_RSA_PKCS_OAEP));
}

Bytes readNumber(Session& session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) {
  Bytes number(kRoomForNumber);
  CK_ATTRIBUTE query{type, number.data(), number.size()};
  check(Function::C_GetAttributeValue,
        session.functions().C_GetAttributeValue(session.handle(), object, &query, 1));
  if (query.ulValueLen > number.size())
    throw badOutput(Function::C_GetAttributeValue, "a number of the carry key is too long");
  number.resize(query.ulValueLen);
  // Some tokens put zeroes in front.
  number.erase(number.begin(), std::ranges::find_if(number, [](uint8_t byte) { return byte != 0; }));
  return number;
}

void requireOutput(bool holds, const char* detail) {
  if (!holds) throw badOutput(Function::C_GenerateKeyPair, detail);
}

void requirePrivateHalf(Session& session, CK_OBJECT_HANDLE object, const Profile& profile) {
  const auto read = readKeyAttributes(session, object);
  requireOutput(read.objectClass == CKO_PRIVATE_KEY && read.keyType == CKK_RSA,
                "the carry key is not an RSA private key");
  requireOutput(!read.isToken, "the carry key would outlive the ceremony");
  requireOutput(
      read.sensitive && !read.extractable && read.neverExtractable && (read.local || !profile.reportsLocal),
      "the carry key may be known outside of its token");
  requireOutput(read.unwrap && !read.decrypt && !read.sign && !read.derive,
                "the carry key does more than unwrap, or does not unwrap");
}

}  // namespace

CarryKey::CarryKey(Session& session, const Profile& profile, CK_ULONG bits)
    : session_(session), profile_(profile) {
  auto publicWanted = publicHalf();
  publicWanted.number(CKA_MODULUS_BITS, bits).bytes(CKA_PUBLIC_EXPONENT, kExponent);
  auto privateWanted = privateHalf(profile);
  CK_MECHANISM mechanism{CKM_RSA_PKCS_KEY_PAIR_GEN, nullptr, 0};
  CK_OBJECT_HANDLE publicKey = CK_INVALID_HANDLE;
  check(Function::C_GenerateKeyPair,
        session.functions().C_GenerateKeyPair(session.handle(), &mechanism, publicWanted.data(),
                                              publicWanted.size(), privateWanted.data(), privateWanted.size(),
                                              &publicKey, &privateKey_));
  requireOutput(publicKey != CK_INVALID_HANDLE && privateKey_ != CK_INVALID_HANDLE,
                "a half of the carry key has no handle");
  requirePrivateHalf(session, privateKey_, profile);
  publicKey_ = {readNumber(session, publicKey, CKA_MODULUS),
                readNumber(session, publicKey, CKA_PUBLIC_EXPONENT)};
  requireOutput(std::ranges::equal(publicKey_.exponent, kExponent), "the carry key's exponent is not 65537");
  const auto& modulus = publicKey_.modulus;
  requireOutput(modulus.size() == bits / 8 && (modulus.front() & 0x80) != 0 && modulus.back() % 2 == 1,
                "the carry key's modulus is not as long as requested");
}

CK_OBJECT_HANDLE CarryKey::unwrap(ByteView blob, ObjectTemplate& wanted) const {
  Oaep oaep(profile_);
  CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
  check(Function::C_UnwrapKey,
        session_.functions().C_UnwrapKey(session_.handle(), &oaep.mechanism, privateKey_, pointerFor(blob),
                                         blob.size(), wanted.data(), wanted.size(), &key));
  if (key == CK_INVALID_HANDLE) throw badOutput(Function::C_UnwrapKey, "the key has no handle");
  return key;
}

CarryKeyElsewhere::CarryKeyElsewhere(Session& session, const RsaPublicKey& publicKey, const Profile& profile)
    : session_(session), profile_(profile), length_(publicKey.modulus.size()) {
  auto wanted = publicHalf();
  wanted.bytes(CKA_MODULUS, publicKey.modulus).bytes(CKA_PUBLIC_EXPONENT, publicKey.exponent);
  check(Function::C_CreateObject,
        session.functions().C_CreateObject(session.handle(), wanted.data(), wanted.size(), &object_));
  if (object_ == CK_INVALID_HANDLE) throw badOutput(Function::C_CreateObject, "the carry key has no handle");
}

CarryKeyElsewhere::~CarryKeyElsewhere() {
  if (object_ != CK_INVALID_HANDLE) session_.functions().C_DestroyObject(session_.handle(), object_);
}

Bytes CarryKeyElsewhere::wrap(CK_OBJECT_HANDLE key) const {
  Oaep oaep(profile_);
  Bytes blob(length_);
  CK_ULONG length = blob.size();
  check(Function::C_WrapKey, session_.functions().C_WrapKey(session_.handle(), &oaep.mechanism, object_, key,
                                                            blob.data(), &length));
  if (length != blob.size()) throw badOutput(Function::C_WrapKey, "the wrapped key has an impossible length");
  return blob;
}

}  // namespace holdfast
