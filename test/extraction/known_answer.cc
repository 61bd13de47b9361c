#include "known_answer.h"

#include <random>

#include "p256.h"
#include "sha256.h"
#include "software_aes.h"

namespace extraction {
namespace {

Bytes randomBytes(size_t count) {
  std::random_device source;
  Bytes bytes(count);
  for (auto& byte : bytes) byte = static_cast<CK_BYTE>(source());
  return bytes;
}

Bytes answer(const Session& session, CK_OBJECT_HANDLE key, Kind kind, const Bytes& nonce,
             const Bytes& input) {
  if (kind == Kind::kAes) return session.encrypt(Mechanism::aesGcm(nonce), key, input);
  return session.sign(Mechanism(kind == Kind::kPrivate ? CKM_ECDSA : CKM_SHA256_HMAC), key, input);
}

}  // namespace

const char* nameOf(Kind kind) {
  if (kind == Kind::kAes) return "AES";
  return kind == Kind::kPrivate ? "private" : "generic secret";
}

KnownAnswer::KnownAnswer(const Session& session, CK_OBJECT_HANDLE key, Kind kind)
    : kind_(kind),
      nonce_(randomBytes(12)),
      input_(randomBytes(32)),
      output_(answer(session, key, kind, nonce_, input_)) {}

bool KnownAnswer::isKey(const Bytes& candidate) const {
  if (kind_ == Kind::kPrivate) return madeSignature(candidate, input_, output_);
  if (kind_ == Kind::kGenericSecret) return hmacSha256(candidate, input_) == output_;
  return decryptGcm(candidate, nonce_, output_) == input_;
}

bool KnownAnswer::isIn(const Bytes& bytes) const {
  for (size_t start = 0; start < bytes.size(); ++start) {
    // In PKCS#8 an EC scalar is an OCTET STRING: its header spares computing with every window.
    if (kind_ == Kind::kPrivate && (start < 2 || bytes[start - 2] != 0x04)) continue;
    const size_t length = kind_ == Kind::kPrivate ? bytes[start - 1] : 32;
    if (length > 32 || start + length > bytes.size()) continue;
    const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(start);
    if (isKey({from, from + static_cast<std::ptrdiff_t>(length)})) return true;
  }
  return kind_ == Kind::kAes && (bytes.size() == 16 || bytes.size() == 24) && isKey(bytes);
}

bool KnownAnswer::isDecryptedBy(const Session& session, CK_OBJECT_HANDLE object) const {
  return session.decrypt(Mechanism::aesGcm(nonce_), object, output_) == input_;
}

Bytes KnownAnswer::counterBlock() const {
  Bytes block = nonce_;
  block.insert(block.end(), {0, 0, 0, 2});
  return block;
}

bool KnownAnswer::isKeyStream(const Bytes& stream) const {
  if (stream.size() != 16) return false;
  for (size_t i = 0; i < 16; ++i) {
    if ((stream[i] ^ output_[i]) != input_[i]) return false;
  }
  return true;
}

}  // namespace extraction
