import type { Clock, ScheduledTask } from '../clock.js';

/** How often it looks: so long may the log be unwritable, or its file be gone, before anybody is told. */
const lookEveryMs = 1_000;
/**
 * A log that has taken no record since its trouble has recovered when it had none for so long. Its own attempts, one a
 * second, write a short notice, for which a disk may have room that has none for a record.
 */
const steadyAfterMs = 10_000;
/** A log rotation moves the file and sends SIGHUP a moment later. */
const movedAfterMs = 60_000;

/** The log that is watched. */
export interface WatchedAuditLog {
  /** Why it cannot be written now; undefined when it can. */
  trouble(): Error | undefined;
  /** Records that were really written. */
  readonly writtenRecords: number;
  /** Whether the file at its path is the one that is written to. Rejects when the folder cannot be looked at. */
  isInPlace(): Promise<boolean>;
}

/** Told of changes only. */
export interface AuditEvents {
  unwritable(cause: Error): void;
  /** @param afterMs how long it could not be written */
  writableAgain(afterMs: number): void;
  /**
   * Somebody moved the file away a minute ago, and nobody sent SIGHUP: what is written goes where it was moved to.
   * @param unseen why its place cannot be looked at; undefined where another file, or none, is in it
   */
  movedAway(unseen: unknown): void;
  backInPlace(): void;
}

/** Tells at run time what nobody may notice by requests: that the audit log stopped, or that its file is not where it should be. */
export class AuditWatch {
  readonly #clock: Clock;
  readonly #log: WatchedAuditLog;
  readonly #events: AuditEvents;
  #unwritableSinceMs: number | undefined;
  /** When there was trouble last, and how many records were written by then. */
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

  /** As it was at the last look. */
  get inPlace(): boolean {
    return this.#awaySinceMs === undefined;
  }

  /** What the log knows by itself; also called when a record was lost. */
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
