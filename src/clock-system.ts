import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import type { Clock } from './clock.js';

const bootId = readBootId();

/** Only Linux has a boot id. */
function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

/** The machine's clocks. */
export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => Number(process.hrtime.bigint() / 1_000n) / 1_000,
  boot: () => ({ bootId, sinceBootMs: uptime() * 1_000 }),
  schedule(delayMs, task) {
    const timer = setTimeout(task, delayMs);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
