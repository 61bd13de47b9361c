import type { Clock } from '../clock.js';

const defaultLinesPerWindow = 20;
const windowMs = 1_000;

/**
 * Bounds lines of the log that come once a request: an HSM that is away is away for all of them, and journald drops every
 * line of a service that writes more than 10,000 in 30 seconds, alerts too. Of each kind 20 a second are written.
 */
export class LineLimit {
  readonly #clock: Clock;
  readonly #linesPerWindow: number;
  readonly #kinds = new Map<string, { endMs: number; lines: number; unreported: number }>();

  /** @param linesPerWindow of each kind, in a second */
  constructor(clock: Clock, linesPerWindow = defaultLinesPerWindow) {
    this.#clock = clock;
    this.#linesPerWindow = linesPerWindow;
  }

  /**
   * @param kind of a closed list
   * @returns what to add to the line: how many before it were left out, if any; undefined where this one is left out
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
