import type { Terminal } from './terminal.js';

/** Work that takes less than this reports nothing. */
const intervalMs = 1_000;

/**
 * Reports progress on stderr, once a second.
 * @returns a function for the share that is done, from 0 to 1; with JSON it prints nothing
 */
export async function progressLines(
  { stderr }: Terminal,
  format: 'table' | 'json',
  done: string,
): Promise<(share: number) => void> {
  const { systemClock } = await import('../clock-system.js');
  if (format === 'json') return () => undefined;
  let nextMs = systemClock.monotonicMs() + intervalMs;
  return (share) => {
    if (systemClock.monotonicMs() < nextMs) return;
    nextMs = systemClock.monotonicMs() + intervalMs;
    stderr.write(`${Math.floor(share * 100)} % ${done}\n`);
  };
}
