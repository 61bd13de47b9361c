#include "freed_memory.h"

#include <malloc.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace holdfast {
namespace {

/// glibc's thread cache: the sizes of its blocks and the number of each. A block is a multiple of 16 bytes, 8
/// of them for the allocator itself (malloc.c, `TCACHE_MAX_BINS` and `TCACHE_FILL_COUNT`).
constexpr size_t kSmallestBlock = 24;
constexpr size_t kLargestBlock = 1032;
constexpr size_t kBlockStep = 16;
constexpr size_t kBlocksOfEachSize = 7;

}  // namespace

void overwriteFreedMemory() {
#ifdef M_PERTURB
  // Freed memory is filled with this, memory that is handed out with its complement: zero.
  constexpr int kFreed = 0xff;
  // Called once, at the start of the process.
  mallopt(M_PERTURB, kFreed);  // NOLINT(concurrency-mt-unsafe)
#endif
}

// Its frame has to lie below the caller's.
__attribute__((noinline)) void overwriteDeadStack() {
  constexpr size_t kDepth = size_t{128} * 1024;
  uint8_t frame[kDepth];
  explicit_bzero(frame, sizeof frame);
}

void overwriteThreadCache() {
  std::vector<std::unique_ptr<uint8_t[]>> blocks;
  blocks.reserve(((kLargestBlock - kSmallestBlock) / kBlockStep + 1) * kBlocksOfEachSize);
  for (size_t size = kSmallestBlock; size <= kLargestBlock; size += kBlockStep) {
    for (size_t count = 0; count < kBlocksOfEachSize; ++count) {
      blocks.push_back(std::make_unique<uint8_t[]>(size));
      explicit_bzero(blocks.back().get(), size);
    }
  }
}

}  // namespace holdfast
