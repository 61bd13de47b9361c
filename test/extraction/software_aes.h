/// \file AES and AES-GCM in plain software, slow and simple: recovered bytes are proved to be the key outside
/// any token.
#pragma once

#include <array>
#include <optional>

#include "cryptoki.h"

namespace extraction {

using Block = std::array<CK_BYTE, 16>;

/// One block cipher (FIPS 197).
class Aes {
 public:
  /// \param key of 16, 24 or 32 bytes
  explicit Aes(const Bytes& key);

  Block encrypt(Block block) const;
  Block decrypt(Block block) const;

 private:
  std::vector<Block> roundKeys_;
};

/// Decrypts (NIST SP 800-38D) without additional data.
/// \param nonce of 12 bytes
/// \param sealed ciphertext and tag of 16 bytes
/// \returns nothing if the tag is wrong
std::optional<Bytes> decryptGcm(const Bytes& key, const Bytes& nonce, const Bytes& sealed);

}  // namespace extraction
