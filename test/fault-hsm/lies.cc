#include "lies.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <random>

#include "instance.h"

namespace faulthsm {
namespace {

constexpr CK_ULONG kHuge = CK_ULONG(1) << 40;
/// The ESC character: not text, not a flag, and no number that PKCS#11 defines.
constexpr int kGarbage = 0x1b;
/// The size of an AES block, and of a GCM tag.
constexpr CK_ULONG kBlock = 16;

}  // namespace

void Lie::aboutLength(CK_ULONG& length) const {
  if (is(Action::kShort)) length -= std::min<CK_ULONG>(length, number());
  if (is(Action::kLong)) length += number();
  if (is(Action::kHuge)) length = kHuge;
}

void Lie::aboutHandle(CK_ULONG& handle, CK_ULONG earlier) const {
  if (is(Action::kZero)) handle = CK_INVALID_HANDLE;
  if (is(Action::kRepeat)) handle = earlier;
}

CK_RV Lie::aboutList(CK_RV rv, CK_ULONG* entries, CK_ULONG& count) const {
  if (rv != CKR_OK) return rv;
  const bool isQuestion = entries == nullptr;
  if (is(Action::kGrow) && !isQuestion) {
    ++count;
    return CKR_BUFFER_TOO_SMALL;
  }
  if (is(Action::kRepeat) && !isQuestion) std::fill_n(entries, count, entries[0]);
  if (isQuestion == is(Action::kHuge)) aboutLength(count);
  return rv;
}

void Lie::aboutBytes(void* bytes, CK_ULONG length) const {
  if (is(Action::kGarbage) && bytes != nullptr) std::memset(bytes, kGarbage, length);
}

void Lie::aboutOrder(unsigned char* bytes, CK_ULONG length) const {
  const CK_ULONG block = std::min(kBlock, length);
  unsigned char* const end = bytes + length;
  if (is(Action::kRotate) && length > 0) std::rotate(bytes, bytes + 1, end);
  if (is(Action::kTagFirst)) std::rotate(bytes, end - block, end);
  if (is(Action::kHeadless)) std::fill(std::copy(bytes + block, end, bytes), end, kGarbage);
}

void Lie::aboutTurn(unsigned char* bytes, CK_ULONG length, KeptOutput& kept) const {
  if (!is(Action::kPrevious)) return;
  const std::lock_guard lock(kept.mutex);
  if (kept.bytes.size() == length)
    std::swap_ranges(kept.bytes.begin(), kept.bytes.end(), bytes);
  else
    kept.bytes.assign(bytes, bytes + length);
}

CK_RV Lie::aboutTag(CK_RV rv, const unsigned char* ciphertext, CK_ULONG length, unsigned char* plaintext,
                    CK_ULONG& plaintextLength) const {
  if (!is(Action::kNoTag) || rv == CKR_OK || plaintext == nullptr || length < kBlock) return rv;
  plaintextLength = length - kBlock;
  std::transform(ciphertext, ciphertext + plaintextLength, plaintext,
                 [](unsigned char byte) { return byte ^ kGarbage; });
  return CKR_OK;
}

void Lie::aboutAttributes(CK_ATTRIBUTE* attributes, CK_ULONG count) const {
  for (CK_ULONG i = 0; i < count; ++i) {
    auto& [type, value, length] = attributes[i];
    if (length == CK_UNAVAILABLE_INFORMATION) continue;
    aboutBytes(value, length);
    aboutLength(length);
    if (is(Action::kUnavailable)) length = CK_UNAVAILABLE_INFORMATION;
  }
}

CK_RV drawRepeatedly(uint64_t period, unsigned char* output, CK_ULONG length) {
  static std::atomic<uint64_t> draws = 0;
  // Each script has bytes of its own, because the next test must not draw the same bytes again.
  const uint64_t script = instance().setting(kScript);
  std::mt19937_64 random(script << 32U | draws.fetch_add(1) % std::max<uint64_t>(period, 1));
  std::generate_n(output, length, [&random] { return static_cast<unsigned char>(random()); });
  return CKR_OK;
}

}  // namespace faulthsm
