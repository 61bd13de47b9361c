/** The size of this process, which must not grow. */
import { readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export interface ProcessSize {
  threads: number;
  descriptors: number;
  /** Resident memory outside of V8's heap, which grows in steps of its own for minutes before it is collected. */
  residentMebibytes: number;
  /** The used part of V8's heap after a collection. It costs tens of milliseconds, so only long runs measure it. */
  heapMebibytes?: number;
}

export function processSize(): ProcessSize {
  const { rss, heapTotal } = process.memoryUsage();
  return {
    threads: readdirSync('/proc/self/task').length,
    descriptors: readdirSync('/proc/self/fd').length,
    residentMebibytes: Math.round((rss - heapTotal) / 2 ** 20),
  };
}

/** The size of this process with `heapMebibytes`. */
export function collectedProcessSize(): ProcessSize {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  return { ...processSize(), heapMebibytes: Math.round((process.memoryUsage().heapUsed / 2 ** 20) * 10) / 10 };
}

/**
 * The part of the resident memory that may be freed memory: AddressSanitizer keeps this much (`quarantine_size_mb`,
 * with an eighth for its shadow, and as much again for the edges of small blocks), and it looks like growth. 0 without
 * a sanitizer.
 */
export const quarantinedMebibytes =
  1.25 * Number(/quarantine_size_mb=(\d+)/.exec(process.env['ASAN_OPTIONS'] ?? '')?.[1] ?? 0);
