import type { ActAudit } from '../audit/act-audit.js';
import type { Clock } from '../clock.js';
import type { KeyCatalog } from '../keys/catalog.js';
import type { BackgroundErrorListener } from '../keys/core.js';
import { type DeletionHold, recordAfter, type TimeReading } from '../keys/time-record.js';

/** What the watch looks at, and whom it tells. */
export interface TimeWatchOptions {
  catalog: Pick<KeyCatalog, 'changeTimeRecord'>;
  clock: Clock;
  audit: ActAudit;
  /** Told of a hold that this process finds or makes, and of null when there is none any more. Not told twice of one. */
  onHold: (hold: DeletionHold | null) => void;
  onBackgroundError: BackgroundErrorListener;
}

/** What the clocks say now. */
export function readTime(clock: Clock): TimeReading {
  return { date: clock.now(), ...clock.boot() };
}

/**
 * Says by which time deletions may be judged, and when by none: a clock that jumps would destroy keys before their day
 * (invariant 17). What it found is in the catalog, for every process and the next start.
 */
export class TimeWatch {
  readonly #options: TimeWatchOptions;
  /** Since when the hold is that was told of; null: that there is none was told. */
  #toldMs: number | null | undefined;

  constructor(options: TimeWatchOptions) {
    this.#options = options;
  }

  /** @returns the time, when it can be trusted; undefined while deletions are held. Rejects when the catalog fails. */
  async verifiedNow(): Promise<Date | undefined> {
    const now = readTime(this.#options.clock);
    const { before, after } = await this.#options.catalog.changeTimeRecord((known) => recordAfter(known, now));
    if ((before?.hold ?? null) === null && after.hold !== null) await this.#recordHold(after.hold);
    this.#tell(after.hold);
    return after.hold === null ? now.date : undefined;
  }

  #tell(hold: DeletionHold | null): void {
    const sinceMs = hold?.since.getTime() ?? null;
    if (sinceMs === this.#toldMs) return;
    this.#toldMs = sinceMs;
    this.#options.onHold(hold);
  }

  /** The hold holds without its record, too: it destroys nothing. */
  async #recordHold({ reason, expected, found }: DeletionHold): Promise<void> {
    const parameters = { reason, expected: expected?.toISOString() ?? null, found: found?.toISOString() ?? null };
    try {
      await this.#options.audit.note({ operation: 'HoldDeletions', resources: [], parameters });
    } catch (error) {
      this.#options.onBackgroundError(error, 'recording that deletions are held');
    }
  }
}
