/// \file Memory that was given back to the allocator holds no secrets for long (invariant 11). Copies
/// that Node's TLS and HTTP/2 make of requests and answers are out of our reach while they live, and Node
/// does not zero them when it frees them.
#pragma once

namespace holdfast {

/// Makes the allocator overwrite all memory that is freed from now on, by any thread or library of the
/// process (`M_PERTURB` of mallopt(3)). It does not overwrite blocks that a thread keeps for its next
/// allocations (glibc's thread cache, seven blocks each of up to 1 KiB); `overwriteThreadCache` does. Does
/// nothing if the C library has no such option.
void overwriteFreedMemory();

/// Overwrites the blocks that the calling thread has freed and keeps for its next allocations. Takes about
/// 20 µs.
void overwriteThreadCache();

/// Overwrites the remains of earlier calls on the stack of the calling thread, below its caller: Node reads
/// TLS through a buffer of 16 KiB there.
void overwriteDeadStack();

}  // namespace holdfast
