/** How large this process is: what must not grow. */
import { readdirSync } from 'node:fs';

export interface ProcessSize {
  threads: number;
  descriptors: number;
  /** Resident memory outside of V8's heap, which grows by steps of its own for minutes before it is collected. */
  residentMebibytes: number;
}

export function processSize(): ProcessSize {
  const { rss, heapTotal } = process.memoryUsage();
  return {
    threads: readdirSync('/proc/self/task').length,
    descriptors: readdirSync('/proc/self/fd').length,
    residentMebibytes: Math.round((rss - heapTotal) / 2 ** 20),
  };
}

/**
 * What of the resident memory may be memory that was freed: AddressSanitizer keeps so much of it (`quarantine_size_mb`, with an
 * eighth for its shadow, and as much again for the edges of small blocks), and it cannot be told from growth. 0 without a sanitizer.
 */
export const quarantinedMebibytes =
  1.25 * Number(/quarantine_size_mb=(\d+)/.exec(process.env['ASAN_OPTIONS'] ?? '')?.[1] ?? 0);
