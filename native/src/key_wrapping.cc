#include "key_wrapping.h"

#include <algorithm>

#include "failure.h"
#include "known_answer.h"

namespace holdfast {
namespace {

/// Room for every blob: an RSA key of 4,096 bits takes 2,384 bytes. NSS 3.87.1 reports too short a length if
/// asked for it first (measured).
constexpr size_t kRoomForBlob = 8192;
/// RFC 5649 §4.1: a multiple of 8, with 8 bytes more than the padded key; no key of ours is shorter than 16.
constexpr size_t kShortestBlob = 24;

bool isZero(ByteView bytes) {
  return std::ranges::all_of(bytes, [](uint8_t byte) { return byte == 0; });
}

bool has(std::span<const CK_ATTRIBUTE_TYPE> usage, CK_ATTRIBUTE_TYPE type) {
  return std::ranges::find(usage, type) != usage.end();
}

}  // namespace

Bytes wrapKey(Session& session, const Wrapping& wrapping, CK_OBJECT_HANDLE key) {
  Bytes blob(kRoomForBlob);
  CK_ULONG length = blob.size();
  CK_MECHANISM mechanism{wrapping.mechanism, nullptr, 0};
  check(Function::C_WrapKey, session.functions().C_WrapKey(session.handle(), &mechanism, wrapping.wrappingKey,
                                                           key, blob.data(), &length));
  if (length > blob.size() || length < kShortestBlob || length % 8 != 0)
    throw badOutput(Function::C_WrapKey, "the wrapped key has an impossible length");
  blob.resize(length);
  // The token wrote nothing, or only in part: no eight bytes of a ciphertext are all zero by chance.
  if (isZero(ByteView(blob).first(8)) || isZero(ByteView(blob).last(8)))
    throw badOutput(Function::C_WrapKey, "the wrapped key was not written, or only in part");
  return blob;
}

CK_OBJECT_HANDLE unwrapKey(Session& session, const Wrapping& wrapping, ByteView blob,
                           ObjectTemplate& wanted) {
  CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
  CK_MECHANISM mechanism{wrapping.mechanism, nullptr, 0};
  check(Function::C_UnwrapKey,
        session.functions().C_UnwrapKey(session.handle(), &mechanism, wrapping.wrappingKey, pointerFor(blob),
                                        blob.size(), wanted.data(), wanted.size(), &key));
  if (key == CK_INVALID_HANDLE) throw badOutput(Function::C_UnwrapKey, "the key has no handle");
  return key;
}

void requireKeyAsMade(const KeyAttributes& read, const KeyKind& kind, const KeyName& name, Custody custody,
                      Lifetime lifetime) {
  const bool leaves = custody == Custody::kWrapped;
  requireAttribute(read.objectClass == kind.objectClass, "CKA_CLASS is not the expected one");
  requireAttribute(read.keyType == kind.keyType, "CKA_KEY_TYPE is not the expected one");
  requireAttribute(read.id == name.id, "CKA_ID is not the expected one");
  requireAttribute(read.label == name.label, "CKA_LABEL is not the expected one");
  requireAttribute(read.isToken == (lifetime == Lifetime::kToken), "CKA_TOKEN is not the expected one");
  requireAttribute(read.isPrivate, "CKA_PRIVATE is not true");
  requireAttribute(read.sensitive, "CKA_SENSITIVE is not true");
  requireAttribute(read.extractable == leaves, "CKA_EXTRACTABLE is not the expected one");
  requireAttribute(read.wrapWithTrusted || !leaves, "CKA_WRAP_WITH_TRUSTED is not true");
  requireAttribute(!read.trusted, "CKA_TRUSTED is true");
  // The holder of the PIN could make a modifiable key one that is never repaired onto another member.
  requireAttribute(!read.modifiable, "CKA_MODIFIABLE is true");
  const bool isUsable = read.encrypt == has(kind.usage, CKA_ENCRYPT) &&
                        read.decrypt == has(kind.usage, CKA_DECRYPT) &&
                        read.sign == has(kind.usage, CKA_SIGN) && read.verify == has(kind.usage, CKA_VERIFY);
  requireAttribute(isUsable, "CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN or CKA_VERIFY is not the expected one");
  requireAttribute(!read.wrap && !read.unwrap && !read.derive, "CKA_WRAP, CKA_UNWRAP or CKA_DERIVE is true");
}

}  // namespace holdfast
