#include "key_kinds.h"

#include <algorithm>

namespace holdfast {
namespace {

constexpr std::array<CK_ATTRIBUTE_TYPE, 2> kEncryption{CKA_ENCRYPT, CKA_DECRYPT};
constexpr std::array<CK_ATTRIBUTE_TYPE, 2> kMac{CKA_SIGN, CKA_VERIFY};
constexpr std::array<CK_ATTRIBUTE_TYPE, 1> kSigning{CKA_SIGN};

/// PKCS#11 v2.40 §4.10 (secret keys) and §4.9 (private keys).
constexpr std::array<CK_ATTRIBUTE_TYPE, 7> kUsageOfSecretKeys{CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN,  CKA_VERIFY,
                                                              CKA_WRAP,    CKA_UNWRAP,  CKA_DERIVE};
constexpr std::array<CK_ATTRIBUTE_TYPE, 5> kUsageOfPrivateKeys{CKA_SIGN, CKA_SIGN_RECOVER, CKA_DECRYPT,
                                                               CKA_UNWRAP, CKA_DERIVE};

constexpr KeyKind kAesKey{
    "aes", CKO_SECRET_KEY, CKK_AES, WrappingKeyKind::kAes, KnownAnswerKind::kDecrypts, kEncryption};
constexpr KeyKind kHmacKey{
    "hmac", CKO_SECRET_KEY, CKK_GENERIC_SECRET, WrappingKeyKind::kGenericSecret, KnownAnswerKind::kSameMac,
    kMac};
constexpr KeyKind kRsaSigningKey{
    "rsa-signing", CKO_PRIVATE_KEY, CKK_RSA, WrappingKeyKind::kPrivateKey, KnownAnswerKind::kSameSignature,
    kSigning};
constexpr KeyKind kEcSigningKey{
    "ec-signing", CKO_PRIVATE_KEY, CKK_EC, WrappingKeyKind::kPrivateKey, KnownAnswerKind::kSignatureVerifies,
    kSigning};

std::span<const CK_ATTRIBUTE_TYPE> usageOf(CK_OBJECT_CLASS objectClass) {
  if (objectClass == CKO_PRIVATE_KEY) return kUsageOfPrivateKeys;
  return kUsageOfSecretKeys;
}

/// The attributes without which an unwrapped key could be read, or wrapped under a key of one's own.
constexpr auto kAlwaysTrue = {CKA_PRIVATE, CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_WRAP_WITH_TRUSTED};

}  // namespace

const char* nameOf(WrappingKeyKind kind) {
  switch (kind) {
    case WrappingKeyKind::kAes:
      return "aes";
    case WrappingKeyKind::kGenericSecret:
      return "generic-secret";
    case WrappingKeyKind::kPrivateKey:
      return "private-key";
  }
  return "";
}

const KeyKind& aesKey() { return kAesKey; }
const KeyKind& hmacKey() { return kHmacKey; }
const KeyKind& rsaSigningKey() { return kRsaSigningKey; }
const KeyKind& ecSigningKey() { return kEcSigningKey; }

ObjectTemplate keyTemplate(const KeyKind& kind, const KeyName& name, Custody custody, bool withCopyable,
                           std::optional<CK_ULONG> valueLength, Lifetime lifetime) {
  ObjectTemplate wanted;
  wanted.number(CKA_CLASS, kind.objectClass).number(CKA_KEY_TYPE, kind.keyType);
  if (valueLength) wanted.number(CKA_VALUE_LEN, *valueLength);
  wanted.flag(CKA_TOKEN, lifetime == Lifetime::kToken).flags({CKA_PRIVATE, CKA_SENSITIVE}, true);
  wanted.flag(CKA_EXTRACTABLE, custody == Custody::kWrapped);
  if (custody == Custody::kWrapped) wanted.flag(CKA_WRAP_WITH_TRUSTED, true);
  for (const CK_ATTRIBUTE_TYPE type : usageOf(kind.objectClass))
    wanted.flag(type, std::ranges::find(kind.usage, type) != kind.usage.end());
  const auto* const label = reinterpret_cast<const uint8_t*>(name.label.data());
  wanted.bytes(CKA_LABEL, {label, name.label.size()}).bytes(CKA_ID, name.id);
  if (withCopyable) wanted.flag(CKA_COPYABLE, false);
  return std::move(wanted.flag(CKA_MODIFIABLE, false));
}

ObjectTemplate wrapTemplate(WrappingKeyKind kind) {
  ObjectTemplate wanted;
  switch (kind) {
    case WrappingKeyKind::kAes:
      wanted.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
      break;
    case WrappingKeyKind::kGenericSecret:
      wanted.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
      break;
    case WrappingKeyKind::kPrivateKey:
      wanted.number(CKA_CLASS, CKO_PRIVATE_KEY);
      break;
  }
  return wanted;
}

ObjectTemplate unwrapTemplate(WrappingKeyKind kind) {
  ObjectTemplate wanted = wrapTemplate(kind);
  wanted.flags(kAlwaysTrue, true);
  switch (kind) {
    case WrappingKeyKind::kAes:
      wanted.flags({CKA_SIGN, CKA_VERIFY, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE}, false);
      break;
    case WrappingKeyKind::kGenericSecret:
      wanted.flags({CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE}, false);
      break;
    case WrappingKeyKind::kPrivateKey:
      wanted.flag(CKA_UNWRAP, false);
      break;
  }
  return wanted;
}

}  // namespace holdfast
