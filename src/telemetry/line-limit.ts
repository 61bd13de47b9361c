import type { Clock } from '../clock.js';

const defaultLinesPerWindow = 20;
const windowMs = 1_000;

/**
 * Bounds the lines of the log that are written once per request. An absent HSM fails all of them, and journald drops
 * every line of a service that writes more than 10,000 in 30 seconds, alerts included. So 20 per kind and second are
 * written.
 */
export class LineLimit {
  readonly #clock: Clock;
  readonly #linesPerWindow: number;
  readonly #kinds = new Map<string, { endMs: number; lines: number; unreported: number }>();

  /** @param linesPerWindow of each kind, per second */
  constructor(clock: Clock, linesPerWindow = defaultLinesPerWindow) {
    this.#clock = clock;
    this.#linesPerWindow = linesPerWindow;
  }

  /**
   * @param kind from a closed list
   * @returns fields to add to the line: the number of lines dropped before it, if any; undefined if this line is
   * dropped
   */
  admit(kind: string): { unreported?: number } | undefined {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#kinds.get(kind);
    if (known !== undefined && nowMs < known.endMs) {
      if (known.lines < this.#linesPerWindow) {
        known.lines += 1;
        return {};
      }
      known.unreported += 1;
      return undefined;
    }
    const unreported = known?.unreported ?? 0;
    this.#kinds.set(kind, { endMs: nowMs + windowMs, lines: 1, unreported: 0 });
    return unreported === 0 ? {} : { unreported };
  }
}
