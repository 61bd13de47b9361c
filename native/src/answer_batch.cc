#include "answer_batch.h"

#include <algorithm>
#include <cstring>

namespace holdfast {
namespace {

/// The parts of an answer that cross; an absent one is empty.
struct Parts {
  ByteView nonce;
  ByteView ciphertext;
  ByteView secret;

  size_t encryptedLength() const { return nonce.size() + ciphertext.size(); }
  size_t length() const { return encryptedLength() + secret.size(); }
};

Parts partsOf(const Value& value) {
  if (const auto* const key = std::get_if<DataKey>(&value))
    return {key->encrypted.nonce, key->encrypted.ciphertext, key->plaintext.view()};
  if (const auto* const encrypted = std::get_if<EncryptedData>(&value))
    return {encrypted->nonce, encrypted->ciphertext, {}};
  return {{}, {}, std::get<Secret>(value).view()};
}

}  // namespace

size_t AnswerBatch::lengthOf(const Success& success) { return partsOf(success.value).length(); }

bool AnswerBatch::add(uint64_t ticket, const Success& success) {
  const Parts parts = partsOf(success.value);
  if (numbers_.size() < (size_ + 1) * kColumns || bytes_.size() - used_ < parts.length()) return false;
  const auto row = numbers_.subspan(size_ * kColumns, kColumns);
  row[kTicket] = static_cast<double>(ticket);
  row[kMember] = success.member;
  row[kEpoch] = static_cast<double>(success.epoch);
  row[kStartedMs] = toMilliseconds(success.started.time_since_epoch());
  row[kLaneMs] = toMilliseconds(success.taken);
  row[kOffset] = static_cast<double>(used_);
  row[kEncryptedLength] = static_cast<double>(parts.encryptedLength());
  row[kSecretLength] = static_cast<double>(parts.secret.size());
  for (const ByteView part : {parts.nonce, parts.ciphertext, parts.secret}) append(part);
  hasSecrets_ = hasSecrets_ || !parts.secret.empty();
  ++size_;
  return true;
}

void AnswerBatch::append(ByteView bytes) {
  std::ranges::copy(bytes, bytes_.begin() + static_cast<std::ptrdiff_t>(used_));
  used_ += bytes.size();
}

void AnswerBatch::clear() {
  if (hasSecrets_) explicit_bzero(bytes_.data(), used_);
  hasSecrets_ = false;
  size_ = 0;
  used_ = 0;
}

}  // namespace holdfast
