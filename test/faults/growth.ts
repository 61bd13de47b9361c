/** Whether a process grew: medians of windows after a warm-up are compared, because single samples vary. */
import type { ProcessSize } from './process-size.js';

export interface Growth {
  /** Medians of the first and the last quarter after the warm-up. */
  early: ProcessSize;
  late: ProcessSize;
}

/** The first third is warm-up: caches fill, lanes are made, V8 finds its size. @throws if there are too few samples */
export function growthOf(samples: readonly ProcessSize[]): Growth {
  const settled = samples.slice(Math.floor(samples.length / 3));
  const window = Math.floor(settled.length / 4);
  if (window === 0) throw new Error(`${samples.length} samples say nothing about growth.`);
  return { early: medianOf(settled.slice(0, window)), late: medianOf(settled.slice(-window)) };
}

function medianOf(samples: readonly ProcessSize[]): ProcessSize {
  const middle = (values: readonly number[]): number | undefined =>
    values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)];
  const median = (of: (size: ProcessSize) => number): number => middle(samples.map(of)) ?? 0;
  const heap = middle(samples.flatMap(({ heapMebibytes }) => heapMebibytes ?? []));
  return {
    ...(heap === undefined ? {} : { heapMebibytes: heap }),
    threads: median(({ threads }) => threads),
    descriptors: median(({ descriptors }) => descriptors),
    residentMebibytes: median(({ residentMebibytes }) => residentMebibytes),
  };
}

/**
 * Values that grew by more than the allowance: a tenth of the memory, and what one reconnect may hold open at the time.
 */
export function grown({ early, late }: Growth): string[] {
  const allowed = {
    threads: early.threads + 12,
    descriptors: early.descriptors + 8,
    residentMebibytes: early.residentMebibytes * 1.1 + 16,
    heapMebibytes: (early.heapMebibytes ?? 0) * 1.1 + 8,
  };
  const names = ['threads', 'descriptors', 'residentMebibytes', 'heapMebibytes'] as const;
  return names
    .filter((name) => (late[name] ?? 0) > allowed[name])
    .map((name) => `${name}: ${early[name] ?? 0} → ${late[name] ?? 0}`);
}
