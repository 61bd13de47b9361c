import type { Terminal } from './terminal.js';

/** So often, so that what takes less says nothing. */
const intervalMs = 1_000;

/**
 * Tells on stderr how far something is, once a second.
 * @returns told of the share that is done, from 0 to 1; with JSON it says nothing
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
