import type { AppendOptions } from '../audit/log.js';

/**
 * The log's own notices, in lines between the records.
 * - `opened`: a server began to write here. It also tests whether the log can be written, before anything is done.
 * - `torn-record`: the line above was cut off by a crash.
 * - `records-lost`: this many records could not be written (or synced); their requests were refused.
 * - `file-removed`: the file was removed while it was in use; lines written since may be missing.
 * - `file-cut-off`: it was truncated; its earlier lines are missing.
 */
export interface AuditNotice {
  time: string;
  notice: 'opened' | 'torn-record' | 'records-lost' | 'file-removed' | 'file-cut-off';
  count?: number;
}

/** A line on its way to the file. */
export interface AuditLine {
  /** The line with its line end; there is no other line end in it. */
  readonly text: string;
  /** Whether it is settled only when it is on the disk; otherwise as soon as the kernel has it. */
  readonly durable: boolean;
  /** Whether it is a request's record, not a notice. */
  readonly isRecord: boolean;
  /** Called once, when it is written or lost. */
  settle(error: Error | undefined): void;
}

/** A line that an appender waits for. */
export class AppendedLine implements AuditLine {
  readonly text: string;
  readonly durable: boolean;
  readonly isRecord: boolean;
  /** Resolves when the line is written, rejects when it is lost or overdue. */
  readonly settled: Promise<void>;
  #waitsUntilMs: number;
  #resolve: () => void = ignore;
  #reject: (error: Error) => void = ignore;

  /** @param json without a line end */
  constructor(json: string, { durable, untilMs }: AppendOptions, isRecord: boolean) {
    this.text = `${json}\n`;
    this.durable = durable;
    this.isRecord = isRecord;
    this.#waitsUntilMs = untilMs ?? Number.POSITIVE_INFINITY;
    this.settled = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  settle(error: Error | undefined): void {
    this.#waitsUntilMs = Number.POSITIVE_INFINITY;
    if (error === undefined) this.#resolve();
    else this.#reject(error);
  }

  /**
   * Rejects if the time is over. The line still goes to the file, because what it records has happened.
   * @returns when its appender stops waiting, in `Clock.monotonicMs`; infinity if it does not wait
   */
  stopWaitingIfOverdue(nowMs: number): number {
    if (this.#waitsUntilMs > nowMs) return this.#waitsUntilMs;
    this.settle(new Error('The audit record was not written in time.'));
    return Number.POSITIVE_INFINITY;
  }
}

/** A line of the log itself. */
export class NoticeLine implements AuditLine {
  readonly text: string;
  readonly durable = true;
  readonly isRecord = false;
  readonly #onLost: () => void;

  /** @param onLost called if it could not be written */
  constructor(json: string, onLost: () => void = ignore) {
    this.text = `${json}\n`;
    this.#onLost = onLost;
  }

  settle(error: Error | undefined): void {
    if (error !== undefined) this.#onLost();
  }
}

/** How many of the lines lie wholly within the first `writtenBytes` bytes, and whether these end within a line. */
export function wholeLines(lines: readonly AuditLine[], writtenBytes: number): { count: number; endsMidLine: boolean } {
  let [count, end] = [0, 0];
  for (const { text } of lines) {
    const next = end + Buffer.byteLength(text);
    if (next > writtenBytes) break;
    end = next;
    count += 1;
  }
  return { count, endsMidLine: end < writtenBytes };
}

function ignore(): void {
  // Nobody waits.
}
