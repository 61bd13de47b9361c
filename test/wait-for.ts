import { vi } from 'vitest';

/** Far longer than anything takes on a machine with every core busy; Vitest's own second is not. */
const boundMs = 30_000;

/** Repeats the assertions until they hold, and resolves with their value. @throws the last failure, after the bound */
export function waitFor<T>(assertions: () => T | Promise<T>, intervalMs = 10): Promise<T> {
  return vi.waitFor(assertions, { timeout: boundMs, interval: intervalMs });
}
