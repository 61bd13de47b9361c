#include "fingerprint.h"

#include <sys/random.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace holdfast {
namespace {

using Key = std::array<uint64_t, 2>;

const std::array<Key, 2>& keys() {
  static const auto drawn = [] {
    std::array<Key, 2> fresh{};
    if (::getrandom(fresh.data(), sizeof fresh, 0) != sizeof fresh)
      throw std::system_error(errno, std::generic_category(), "getrandom");
    return fresh;
  }();
  return drawn;
}

/// The names and the order of the steps are the paper's.
class SipState {
 public:
  explicit SipState(const Key& key)
      : v0_(key[0] ^ 0x736f6d6570736575),
        v1_(key[1] ^ 0x646f72616e646f6d),
        v2_(key[0] ^ 0x6c7967656e657261),
        v3_(key[1] ^ 0x7465646279746573) {}

  void compress(uint64_t word) {
    v3_ ^= word;
    rounds(2);
    v0_ ^= word;
  }

  uint64_t finish() {
    v2_ ^= 0xff;
    rounds(4);
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

 private:
  void rounds(int count) {
    for (; count > 0; --count) {
      v0_ += v1_, v2_ += v3_;
      v1_ = std::rotl(v1_, 13) ^ v0_, v3_ = std::rotl(v3_, 16) ^ v2_;
      v0_ = std::rotl(v0_, 32);
      v2_ += v1_, v0_ += v3_;
      v1_ = std::rotl(v1_, 17) ^ v2_, v3_ = std::rotl(v3_, 21) ^ v0_;
      v2_ = std::rotl(v2_, 32);
    }
  }

  uint64_t v0_, v1_, v2_, v3_;
};

uint64_t sipHash(const Key& key, ByteView secret) {
  SipState state(key);
  constexpr size_t kWord = sizeof(uint64_t);
  uint64_t word = 0;
  size_t done = 0;
  for (; secret.size() - done >= kWord; done += kWord) {
    std::memcpy(&word, secret.data() + done, kWord);
    state.compress(word);
  }
  word = 0;
  if (done < secret.size()) std::memcpy(&word, secret.data() + done, secret.size() - done);
  state.compress(word | static_cast<uint64_t>(secret.size()) << 56);
  ::explicit_bzero(&word, sizeof word);
  return state.finish();
}

}  // namespace

Fingerprint::Fingerprint(ByteView secret) : value_{sipHash(keys()[0], secret), sipHash(keys()[1], secret)} {}

}  // namespace holdfast
