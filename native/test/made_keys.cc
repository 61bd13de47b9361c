#include "made_keys.h"

namespace holdfast {
namespace {

constexpr Custody kWrapped = Custody::kWrapped;

/// DER of the OID of P-256.
const Bytes kP256{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

Made makeSecret(UserSession& on, const KeyKind& kind, const KeyName& name) {
  auto wanted = keyTemplate(kind, name, kWrapped, true, 32);
  const bool isAes = kind.keyType == CKK_AES;
  CK_MECHANISM mechanism{isAes ? CKM_AES_KEY_GEN : CKM_GENERIC_SECRET_KEY_GEN, nullptr, 0};
  Made made;
  auto& session = on.session();
  check(Function::C_GenerateKey, session.functions().C_GenerateKey(session.handle(), &mechanism,
                                                                   wanted.data(), wanted.size(), &made.key));
  return made;
}

Made makePair(UserSession& on, const KeyKind& kind, const KeyName& name) {
  auto wanted = keyTemplate(kind, name, kWrapped, true);
  ObjectTemplate publicHalf;
  publicHalf.flags({CKA_TOKEN, CKA_PRIVATE}, false).flag(CKA_VERIFY, true);
  const bool isRsa = kind.keyType == CKK_RSA;
  if (isRsa) publicHalf.number(CKA_MODULUS_BITS, 2048).bytes(CKA_PUBLIC_EXPONENT, Bytes{1, 0, 1});
  if (!isRsa) publicHalf.bytes(CKA_EC_PARAMS, kP256);
  CK_MECHANISM mechanism{isRsa ? CKM_RSA_PKCS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN, nullptr, 0};
  Made made;
  auto& session = on.session();
  check(Function::C_GenerateKeyPair, session.functions().C_GenerateKeyPair(
                                         session.handle(), &mechanism, publicHalf.data(), publicHalf.size(),
                                         wanted.data(), wanted.size(), &made.publicKey, &made.key));
  return made;
}

}  // namespace

KeyName named(const std::string& name) { return {bytesOf("id of " + name), name}; }

Made make(UserSession& on, const KeyKind& kind, const KeyName& name) {
  return kind.objectClass == CKO_SECRET_KEY ? makeSecret(on, kind, name) : makePair(on, kind, name);
}

}  // namespace holdfast
