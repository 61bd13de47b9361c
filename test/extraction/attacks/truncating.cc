/// \file Shortened keys: a MAC under one byte of the key is found among 256, then under two, and so on
/// (Clulow; "Tookan").
#include "attack.h"
#include "sha256.h"

namespace extraction {
namespace {

/// Finds the next byte of the key by the MAC under the first `known.size() + 1` bytes. \returns whether it
/// did
bool extend(Bytes& known, const Bytes& mac) {
  known.push_back(0);
  for (int value = 0; value < 256; ++value) {
    known.back() = static_cast<CK_BYTE>(value);
    if (hmacSha256(known, Bytes(16)) == mac) return true;
  }
  return false;
}

Gain truncate(const Scene& scene) {
  Bytes known;
  while (known.size() < 32) {
    auto values = scene.replica();
    values.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
    values.number(CKA_VALUE_LEN, known.size() + 1).flag(CKA_DECRYPT, false).flag(CKA_SIGN, true);
    const auto part = scene.unwrapBlob(values);
    const Bytes mac = scene.session.sign(Mechanism(CKM_SHA256_HMAC), part, Bytes(16));
    if (!extend(known, mac)) return Gain::kNothing;
    scene.session.destroy(part);
  }
  return keyIf(scene.target.answer.isIn(known));
}

}  // namespace

std::vector<Attack> truncatingAttacks() {
  return {{"unwrap-truncated",
           "C_UnwrapKey of the blob with a CKA_VALUE_LEN of 1, 2, …: MACs give byte after byte",
           truncate,
           {Kind::kAes, Kind::kGenericSecret}}};
}

}  // namespace extraction
