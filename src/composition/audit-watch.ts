import type { Clock, ScheduledTask } from '../clock.js';

/** The time between checks: the log may be unwritable, or its file missing, for this long before it is reported. */
const lookEveryMs = 1_000;
/**
 * After trouble, the first record that is written shows that the log has recovered. Without one, the log counts as
 * recovered after this long without trouble. Its own attempts, one a second, do not show it: they write only a short
 * notice, and a disk may have room for that but not for a record.
 */
const steadyAfterMs = 10_000;
/** A log rotation moves the file and sends SIGHUP a moment later. */
const movedAfterMs = 60_000;

/** The log that is watched. */
export interface WatchedAuditLog {
  /** Why it cannot be written now; undefined when it can. */
  trouble(): Error | undefined;
  /** Records that were actually written. */
  readonly writtenRecords: number;
  /** Whether the file at its path is the one being written. Rejects if the folder cannot be examined. */
  isInPlace(): Promise<boolean>;
}

/** Called for changes only. */
export interface AuditEvents {
  unwritable(cause: Error): void;
  /** @param afterMs how long it could not be written */
  writableAgain(afterMs: number): void;
  /**
   * The file was moved away a minute ago, without a SIGHUP: records go to the moved file.
   * @param unseen why its path cannot be examined; undefined if another file, or none, is there
   */
  movedAway(unseen: unknown): void;
  backInPlace(): void;
}

/**
 * Reports at run time problems that requests may not reveal: the audit log stopped, or its file is not where it should
 * be.
 */
export class AuditWatch {
  readonly #clock: Clock;
  readonly #log: WatchedAuditLog;
  readonly #events: AuditEvents;
  #unwritableSinceMs: number | undefined;
  /** When there was trouble last, and how many records had been written by then. */
  #lastTrouble = { ms: 0, writtenRecords: 0 };
  #awaySinceMs: number | undefined;
  #movedTold = false;
  #next: ScheduledTask | undefined;
  #stopped = false;

  constructor(clock: Clock, log: WatchedAuditLog, events: AuditEvents) {
    this.#clock = clock;
    this.#log = log;
    this.#events = events;
    this.#schedule();
  }

  /** Whether the file was in its place at the last check. */
  get inPlace(): boolean {
    return this.#awaySinceMs === undefined;
  }

  /** Checks the log's own state; also called when a record was lost. */
  lookAtTrouble(): void {
    const cause = this.#log.trouble();
    const nowMs = this.#clock.monotonicMs();
    if (cause !== undefined) {
      this.#lastTrouble = { ms: nowMs, writtenRecords: this.#log.writtenRecords };
      if (this.#unwritableSinceMs !== undefined) return;
      this.#unwritableSinceMs = nowMs;
      this.#events.unwritable(cause);
    } else if (this.#unwritableSinceMs !== undefined && this.#hasRecovered(nowMs)) {
      const afterMs = nowMs - this.#unwritableSinceMs;
      this.#unwritableSinceMs = undefined;
      this.#events.writableAgain(afterMs);
    }
  }

  #hasRecovered(nowMs: number): boolean {
    const { ms, writtenRecords } = this.#lastTrouble;
    return this.#log.writtenRecords > writtenRecords || nowMs - ms >= steadyAfterMs;
  }

  stop(): void {
    this.#stopped = true;
    this.#next?.cancel();
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#next = this.#clock.schedule(lookEveryMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    this.lookAtTrouble();
    try {
      this.#lookAtPlace(await this.#log.isInPlace(), undefined);
    } catch (unseen) {
      this.#lookAtPlace(false, unseen);
    }
    this.#schedule();
  }

  #lookAtPlace(inPlace: boolean, unseen: unknown): void {
    if (inPlace) {
      if (this.#movedTold) this.#events.backInPlace();
      this.#movedTold = false;
      this.#awaySinceMs = undefined;
      return;
    }
    this.#awaySinceMs ??= this.#clock.monotonicMs();
    if (this.#movedTold || this.#clock.monotonicMs() - this.#awaySinceMs < movedAfterMs) return;
    this.#movedTold = true;
    this.#events.movedAway(unseen);
  }
}
