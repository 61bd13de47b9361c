import type { BootTime } from '../src/clock.js';
import { systemClock } from '../src/clock-system.js';

/** The machine's time since its start, increased by the given time: for clocks of tests that let days pass. */
export function movedBoot(byMs: number): BootTime {
  const { bootId, sinceBootMs } = systemClock.boot();
  return { bootId, sinceBootMs: sinceBootMs + byMs };
}
