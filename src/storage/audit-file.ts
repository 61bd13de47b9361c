import type { AuditEvent } from '../audit/event.js';
import type { AuditLog } from '../audit/log.js';
import { type Clock, delay, type ScheduledTask } from '../clock.js';
import { printableJsonLine } from '../printable.js';
import { AuditFileHandle, type AuditFileTarget, endsInTornLine } from './audit-file-handle.js';

/** The path of the log, and its listeners. */
export interface AuditFileOptions {
  /** Created (0600) if it is missing; its folder must exist. May be a device such as `/dev/stdout`. */
  path: string;
  clock: Clock;
  /**
   * Called each time that the log could not be written or synced, with the number of lost request records, which may be
   * 0.
   */
  onLost?: (count: number) => void;
  /**
   * Called when the file was removed while it was in use, and a new one begun under its path; or when it was cut off.
   */
  onLoss?: (condition: 'removed' | 'cut-off') => void;
}

/**
 * The log's own notices, in lines between the records.
 * - `opened`: a server began to write here. It also tests whether the log can be written, before anything is done.
 * - `torn-record`: the line above was cut off by a crash.
 * - `records-lost`: this many records could not be written (or synced); their requests were refused.
 * - `file-removed`: the file was removed while it was in use; lines written since may be missing.
 * - `file-cut-off`: it was truncated; its earlier lines are missing.
 */
interface AuditNotice {
  time: string;
  notice: 'opened' | 'torn-record' | 'records-lost' | 'file-removed' | 'file-cut-off';
  count?: number;
}

/** A line on its way to the file. */
interface Line {
  /** With its line end. */
  text: string;
  byteLength: number;
  durable: boolean;
  /** A request's record, not a notice. */
  isRecord: boolean;
  settle(error: Error | undefined): void;
}

/**
 * How often a failed log is retried without a request, and how often a busy log checks whether its file still exists.
 */
const probeIntervalMs = 1_000;
/**
 * How long one operation of the file may take before the log counts as unhealthy: a lost disk blocks without an error.
 */
const stalledAfterMs = 5_000;
/** With more bytes than this waiting for a blocked file, the log is unhealthy, … */
const fullBytes = 8 * 1024 * 1024;
/** … and with more than this a record is lost. The room between is for requests that had begun before. */
const overfullBytes = 32 * 1024 * 1024;
const newline = 0x0a;

/** Opens the log. Rejects if the file cannot be opened or a torn line at its end cannot be closed. */
export async function openAuditFile(options: AuditFileOptions): Promise<AuditFile> {
  const handle = await AuditFileHandle.open(options.path);
  const file = new AuditFile(options, handle);
  try {
    if (await endsInTornLine(options.path)) await file.note('torn-record');
    return file;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * An audit log in a file, one JSON line per record.
 *
 * Group commit: records appended during a write go with the next write, and records that wait for the disk share a
 * sync. Writes continue during a sync, so data-plane records never wait for the disk.
 */
export class AuditFile implements AuditLog {
  readonly #options: AuditFileOptions;
  #handle: AuditFileTarget;
  #waiting: Line[] = [];
  #waitingBytes = 0;
  #unsynced: Line[] = [];
  #reopenings: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  #writing: Promise<void> | undefined;
  #syncing: Promise<void> | undefined;
  /** A failed sync is not forgotten because of an unsynced write. */
  #failure: { at: 'write' | 'sync'; cause: Error } | undefined;
  /** Since the last notice about it. */
  #lostRecords = 0;
  #allLostRecords = 0;
  #writtenRecords = 0;
  /** Whether the file ends in the middle of a line. */
  #midLine = false;
  #probe: ScheduledTask | undefined;
  #presenceCheckedMs = Number.NEGATIVE_INFINITY;
  #closed = false;
  /** When the file's present operation began, in `Clock.monotonicMs`. */
  readonly #busySinceMs: Record<'write' | 'sync', number | undefined> = { write: undefined, sync: undefined };

  /** See `openAuditFile`. */
  constructor(options: AuditFileOptions, handle: AuditFileTarget) {
    this.#options = options;
    this.#handle = handle;
  }

  append(event: AuditEvent, options: { durable: boolean }): Promise<void> {
    return this.#add(printableJsonLine(event), options.durable, true);
  }

  healthy(): boolean {
    return this.trouble() === undefined;
  }

  /** Why it cannot be written now; undefined if it can. */
  trouble(): Error | undefined {
    if (this.#closed) return closedError();
    if (this.#failure !== undefined) return this.#failure.cause;
    if (this.#waitingBytes > fullBytes) return new Error('Too many records wait for the audit log.');
    if (this.#isStalled()) return new Error(`The disk has not answered for ${stalledAfterMs / 1_000} seconds.`);
    return undefined;
  }

  /** Records that were lost since it was opened. */
  get lostRecords(): number {
    return this.#allLostRecords;
  }

  /** Records that were written since it was opened, and synced if they are durable. */
  get writtenRecords(): number {
    return this.#writtenRecords;
  }

  /**
   * Checks whether the path still leads to the file. A removed file is begun anew, and a cut-off one is reported, even
   * without writes; a moved one is written to until `reopen`.
   */
  async isInPlace(): Promise<boolean> {
    if (this.#closed) return true;
    const handle = this.#handle;
    if ((await handle.look()) !== 'whole') this.#startWriting();
    const inPlace = await handle.isAt(this.#options.path);
    // A file that was replaced meanwhile was opened at the path just now.
    return inPlace || handle !== this.#handle;
  }

  #isStalled(): boolean {
    const { write, sync } = this.#busySinceMs;
    if (write === undefined && sync === undefined) return false;
    const sinceMs = Math.min(write ?? Number.POSITIVE_INFINITY, sync ?? Number.POSITIVE_INFINITY);
    return this.#options.clock.monotonicMs() - sinceMs > stalledAfterMs;
  }

  /**
   * Continues in a new file under the same path, for a log rotation that has moved the old one away. On failure the old
   * one stays.
   */
  reopen(): Promise<void> {
    if (this.#closed) return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      this.#reopenings.push({ resolve, reject });
      this.#startWriting();
    });
  }

  /**
   * Writes and syncs the appended records, then closes. Later appends reject.
   * @returns false if that took longer than `boundMs`: the file blocks, and so would a normal end of the process.
   */
  async close(boundMs: number): Promise<boolean> {
    if (this.#closed) return true;
    this.#closed = true;
    this.#probe?.cancel();
    const bound = new AbortController();
    const closed = this.#closeWhenWritten().then(() => true);
    try {
      return await Promise.race([closed, delay(this.#options.clock, boundMs, bound.signal).then(() => false)]);
    } finally {
      bound.abort();
    }
  }

  async #closeWhenWritten(): Promise<void> {
    await this.#writing;
    await this.#syncing;
    try {
      await this.#handle.sync();
    } finally {
      await this.#handle.close();
    }
  }

  /** Writes a notice of the log itself. */
  async note(notice: AuditNotice['notice']): Promise<void> {
    // A torn line has no end: ours must begin on a line of its own.
    this.#midLine ||= notice === 'torn-record';
    await this.#add(this.#notice({ notice }), true, false);
  }

  #notice(notice: Omit<AuditNotice, 'time'>): string {
    return JSON.stringify({ time: this.#options.clock.now().toISOString(), ...notice } satisfies AuditNotice);
  }

  #add(text: string, durable: boolean, isRecord: boolean): Promise<void> {
    if (this.#closed) return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      const settle = (error: Error | undefined): void => (error === undefined ? resolve() : reject(error));
      const line = newLine(text, { durable, isRecord }, settle);
      if (this.#waitingBytes + line.byteLength > overfullBytes) {
        this.#failed('write', [line], new Error('Too many records wait for the audit log.'));
        return;
      }
      this.#waiting.push(line);
      this.#waitingBytes += line.byteLength;
      this.#startWriting();
    });
  }

  #startWriting(): void {
    this.#writing ??= this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    do {
      // Takes along everything that is appended in this turn of the event loop: each write wakes another thread.
      await new Promise((resolve) => setImmediate(resolve));
      this.#busySinceMs.write = this.#options.clock.monotonicMs();
      if (this.#reopenings.length > 0) await this.#reopenNow(this.#reopenings.splice(0));
      const lines = this.#waiting;
      this.#waiting = [];
      this.#waitingBytes = 0;
      await this.#writeLines(lines);
    } while (this.#waiting.length > 0 || this.#reopenings.length > 0);
    // No `await` since the check: no line can have been added unseen.
    this.#busySinceMs.write = undefined;
    this.#writing = undefined;
  }

  async #writeLines(records: readonly Line[]): Promise<void> {
    let lines: readonly Line[];
    try {
      lines = [...(await this.#mendFile(records)), ...this.#lostNotice(), ...records];
    } catch (error) {
      this.#failed('write', records, error as Error);
      return;
    }
    if (lines.length === 0) return;
    const start = this.#midLine ? '\n' : '';
    const bytes = Buffer.from(lines.reduce((all, line) => all + line.text, start));
    const { writtenBytes, error } = await this.#handle.write(bytes);
    // Before the listeners: a waiter may check at once whether the log is well.
    this.#busySinceMs.write = undefined;
    if (writtenBytes > 0) this.#midLine = bytes[writtenBytes - 1] !== newline;
    this.#settleWritten(lines, writtenBytes - start.length, error);
  }

  /** An interrupted write has still recorded the lines before the interruption. */
  #settleWritten(lines: readonly Line[], writtenBytes: number, error: Error | undefined): void {
    let end = 0;
    const written = lines.filter((line) => {
      end += line.byteLength;
      return end <= writtenBytes;
    });
    const lost = lines.slice(written.length);
    this.#written(written.filter((line) => !line.durable));
    if (lost.length > 0) this.#failed('write', lost, error);
    else if (this.#failure?.at === 'write') this.#failure = undefined;
    this.#unsynced.push(...written.filter((line) => line.durable));
    if (this.#unsynced.length > 0) this.#syncing ??= this.#syncAll();
    for (const line of written) if (!line.durable) line.settle(undefined);
  }

  #written(lines: readonly Line[]): void {
    this.#writtenRecords += lines.filter(({ isRecord }) => isRecord).length;
  }

  async #syncAll(): Promise<void> {
    while (this.#unsynced.length > 0) {
      const lines = this.#unsynced;
      this.#unsynced = [];
      this.#busySinceMs.sync = this.#options.clock.monotonicMs();
      try {
        await this.#handle.sync();
        if (this.#failure?.at === 'sync') this.#failure = undefined;
        this.#written(lines);
        for (const line of lines) line.settle(undefined);
      } catch (error) {
        this.#failed('sync', lines, error as Error);
      }
    }
    this.#busySinceMs.sync = undefined;
    this.#syncing = undefined;
  }

  #failed(at: 'write' | 'sync', lines: readonly Line[], error: Error | undefined): void {
    this.#failure = { at, cause: error ?? new Error('The disk took a part of it.') };
    const count = lines.filter(({ isRecord }) => isRecord).length;
    this.#lostRecords += count;
    this.#allLostRecords += count;
    this.#options.onLost?.(count);
    for (const line of lines) line.settle(error);
    // No append may come, since callers are refused while the log is unhealthy.
    this.#probe ??= this.#options.clock.schedule(probeIntervalMs, () => {
      this.#probe = undefined;
      if (this.#failure !== undefined && !this.#closed) this.#startWriting();
    });
  }

  /** The first line after a failure says how many records are missing; it also tests whether the log is well again. */
  #lostNotice(): Line[] {
    const count = this.#lostRecords;
    if (count === 0 && this.#failure === undefined) return [];
    this.#lostRecords = 0;
    const settle = (error: Error | undefined): void => {
      if (error !== undefined) this.#lostRecords += count;
    };
    return [newLine(this.#notice({ notice: 'records-lost', count }), noticeKind, settle)];
  }

  async #reopenNow(requests: readonly { resolve: () => void; reject: (error: unknown) => void }[]): Promise<void> {
    try {
      await this.#replaceHandle();
      for (const request of requests) request.resolve();
    } catch (error) {
      for (const request of requests) request.reject(error);
    }
  }

  async #replaceHandle(): Promise<void> {
    const next = await AuditFileHandle.open(this.#options.path);
    // Lines that wait for a sync are in the old file.
    await this.#syncing;
    const previous = this.#handle;
    this.#handle = next;
    this.#midLine = await endsInTornLine(this.#options.path);
    await previous.sync();
    await previous.close();
  }

  async #goOnAfterCut(): Promise<void> {
    await this.#handle.acceptLength();
    this.#midLine = await endsInTornLine(this.#options.path);
  }

  /**
   * Checks the file before each durable write, otherwise once a second. @returns the notices at the top of a new file.
   */
  async #mendFile(records: readonly Line[]): Promise<Line[]> {
    const nowMs = this.#options.clock.monotonicMs();
    const isDue = nowMs - this.#presenceCheckedMs >= probeIntervalMs || records.some((line) => line.durable);
    if (!isDue) return [];
    this.#presenceCheckedMs = nowMs;
    const condition = await this.#handle.look();
    if (condition === 'whole') return [];
    if (condition === 'removed') await this.#replaceHandle();
    else await this.#goOnAfterCut();
    this.#options.onLoss?.(condition);
    return [newLine(this.#notice({ notice: `file-${condition}` }), noticeKind, () => undefined)];
  }
}

type LineKind = Pick<Line, 'durable' | 'isRecord'>;

const noticeKind: LineKind = { durable: true, isRecord: false };

function newLine(text: string, kind: LineKind, settle: Line['settle']): Line {
  return { text: `${text}\n`, byteLength: Buffer.byteLength(text) + 1, ...kind, settle };
}

function closedError(): Error {
  return new Error('The audit log is closed.');
}
