#include "builtin_cipher.h"

#include <sys/random.h>

#include <array>
#include <cstring>
#include <string_view>
#include <vector>

#include "chance.h"

namespace faulthsm {
namespace {

constexpr CK_ULONG kTagLength = 16;

uint64_t absorb(uint64_t state, std::string_view bytes) {
  for (const char byte : bytes) state = mix(state ^ static_cast<unsigned char>(byte));
  return mix(state ^ bytes.size());
}

std::string_view view(const void* bytes, CK_ULONG length) {
  return {static_cast<const char*>(bytes), length};
}

void applyStream(uint64_t key, const unsigned char* input, CK_ULONG length, unsigned char* output) {
  for (CK_ULONG i = 0; i < length; ++i)
    output[i] = input[i] ^ static_cast<unsigned char>(mix(key ^ (i / 8)) >> (8 * (i % 8)));
}

std::array<unsigned char, kTagLength> tagOf(uint64_t key, const std::string& additionalData,
                                            std::string_view ciphertext) {
  std::array<uint64_t, 2> words{};
  words[0] = absorb(absorb(mix(~key), additionalData), ciphertext);
  words[1] = mix(words[0] ^ key);
  std::array<unsigned char, kTagLength> tag{};
  std::memcpy(tag.data(), words.data(), kTagLength);
  return tag;
}

}  // namespace

BuiltinCipher& builtinCipher() {
  static auto* const one = new BuiltinCipher;
  return *one;
}

CK_RV drawBuiltinRandom(unsigned char* output, CK_ULONG length) {
  for (CK_ULONG done = 0; done < length;) {
    const ssize_t drawn = ::getrandom(output + done, length - done, 0);
    if (drawn < 0) return CKR_DEVICE_ERROR;
    done += static_cast<CK_ULONG>(drawn);
  }
  return CKR_OK;
}

CK_RV BuiltinCipher::begin(CK_SESSION_HANDLE session, Direction direction, const CK_MECHANISM& mechanism,
                           const std::string& identity) {
  if (identity.empty()) return CKR_KEY_HANDLE_INVALID;
  if (mechanism.ulParameterLen != sizeof(CK_GCM_PARAMS)) return CKR_MECHANISM_PARAM_INVALID;
  const auto& parameters = *static_cast<const CK_GCM_PARAMS*>(mechanism.pParameter);
  if (parameters.ulTagBits != 8 * kTagLength) return CKR_MECHANISM_PARAM_INVALID;
  Operation operation{direction, absorb(absorb(0, identity), view(parameters.pIv, parameters.ulIvLen)),
                      std::string(view(parameters.pAAD, parameters.ulAADLen))};
  const std::lock_guard lock(mutex_);
  const bool isNew = operations_.try_emplace(session, std::move(operation)).second;
  return isNew ? CKR_OK : CKR_OPERATION_ACTIVE;
}

std::optional<BuiltinCipher::Operation> BuiltinCipher::operationOf(CK_SESSION_HANDLE session,
                                                                   Direction direction) const {
  const std::lock_guard lock(mutex_);
  const auto known = operations_.find(session);
  const bool mine = known != operations_.end() && known->second.direction == direction;
  return mine ? std::optional(known->second) : std::nullopt;
}

void BuiltinCipher::end(CK_SESSION_HANDLE session) {
  const std::lock_guard lock(mutex_);
  operations_.erase(session);
}

std::optional<CK_RV> BuiltinCipher::finish(CK_SESSION_HANDLE session, Direction direction,
                                           const unsigned char* input, CK_ULONG inputLength,
                                           unsigned char* output, CK_ULONG* outputLength) {
  const auto operation = operationOf(session, direction);
  if (!operation) return std::nullopt;
  const bool encrypts = direction == Direction::kEncrypt;
  const bool tooShort = !encrypts && inputLength < kTagLength;
  const CK_ULONG needed = encrypts ? inputLength + kTagLength : inputLength - (tooShort ? 0 : kTagLength);
  const CK_ULONG room = *outputLength;
  *outputLength = needed;
  // Only the length was asked for, or the room is too small: the operation goes on (§5.2).
  if (output == nullptr) return CKR_OK;
  if (room < needed) return CKR_BUFFER_TOO_SMALL;
  end(session);
  if (tooShort) return CKR_ENCRYPTED_DATA_LEN_RANGE;
  if (encrypts) {
    applyStream(operation->key, input, inputLength, output);
    const auto tag = tagOf(operation->key, operation->additionalData, view(output, inputLength));
    std::memcpy(output + inputLength, tag.data(), tag.size());
    return CKR_OK;
  }
  const auto tag = tagOf(operation->key, operation->additionalData, view(input, needed));
  if (std::memcmp(tag.data(), input + needed, tag.size()) != 0) return CKR_ENCRYPTED_DATA_INVALID;
  applyStream(operation->key, input, needed, output);
  return CKR_OK;
}

}  // namespace faulthsm
