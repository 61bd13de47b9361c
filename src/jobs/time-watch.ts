import type { ActAudit } from '../audit/act-audit.js';
import type { Clock } from '../clock.js';
import type { KeyCatalog } from '../keys/catalog.js';
import type { BackgroundErrorListener } from '../keys/core.js';
import { type DeletionHold, recordAfter, type TimeReading } from '../keys/time-record.js';

/** The inputs and listeners of the watch. */
export interface TimeWatchOptions {
  catalog: Pick<KeyCatalog, 'changeTimeRecord'>;
  clock: Clock;
  audit: ActAudit;
  /**
   * Called with a hold that this process finds or makes, and with null when it has ended. Each change is reported once.
   */
  onHold: (hold: DeletionHold | null) => void;
  onBackgroundError: BackgroundErrorListener;
}

/** The present reading of the clocks. */
export function readTime(clock: Clock): TimeReading {
  return { date: clock.now(), ...clock.boot() };
}

/**
 * Supplies the time by which deletions are judged, or none: a jumping clock would destroy keys before their date
 * (invariant 17). Its findings are in the catalog, for every process and the next start.
 */
export class TimeWatch {
  readonly #options: TimeWatchOptions;
  /** The beginning of the reported hold; null if the last report was that there is none. */
  #toldMs: number | null | undefined;

  constructor(options: TimeWatchOptions) {
    this.#options = options;
  }

  /** @returns the time, if it can be trusted; undefined while deletions are held. Rejects if the catalog fails. */
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

  /** The hold is effective even without its record: nothing is destroyed. */
  async #recordHold({ reason, expected, found }: DeletionHold): Promise<void> {
    const parameters = { reason, expected: expected?.toISOString() ?? null, found: found?.toISOString() ?? null };
    try {
      await this.#options.audit.note({ operation: 'HoldDeletions', resources: [], parameters });
    } catch (error) {
      this.#options.onBackgroundError(error, 'recording that deletions are held');
    }
  }
}
