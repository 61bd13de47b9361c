import type { AuditEvent } from '../audit/event.js';
import type { AuditLog } from '../audit/log.js';
import { type Clock, delay, type ScheduledTask } from '../clock.js';
import { printableJsonLine } from '../printable.js';
import { AuditFileHandle, type AuditFileTarget, endsInTornLine } from './audit-file-handle.js';

/** Where the log is, and who is told of what happens to it. */
export interface AuditFileOptions {
  /** Made (0600) when it is missing; its folder must exist. May be a device such as `/dev/stdout`. */
  path: string;
  clock: Clock;
  /** Told each time that the log could not be written or synced, with how many records of requests that cost; also with 0. */
  onLost?: (count: number) => void;
  /** Told that the file was removed while it was in use, and a new one begun under its path; or that it was cut off. */
  onLoss?: (condition: 'removed' | 'cut-off') => void;
}

/**
 * What the log says of itself, in a line of its own between the records.
 * - `opened`: a server began to write here. It is also the test whether the log can be written, before anything is done.
 * - `torn-record`: the line above was cut off by a crash.
 * - `records-lost`: so many records could not be written (or synced); their requests were refused.
 * - `file-removed`: the file was removed while it was written to; what was written since may be missing.
 * - `file-cut-off`: somebody truncated it; what was in it is missing.
 */
interface AuditNotice {
  time: string;
  notice: 'opened' | 'torn-record' | 'records-lost' | 'file-removed' | 'file-cut-off';
  count?: number;
}

/** A line on its way to the file. */
interface Line {
  /** With its end. */
  text: string;
  byteLength: number;
  durable: boolean;
  /** Of a request, and no notice. */
  isRecord: boolean;
  settle(error: Error | undefined): void;
}

/** How often a log that failed is tried again by itself, and how often a busy log looks whether its file is still there. */
const probeIntervalMs = 1_000;
/** How long the file may take for one thing before the log is not healthy: a disk that is gone blocks without an error. */
const stalledAfterMs = 5_000;
/** Records that wait for a file which takes none: with more than this the log is not healthy, … */
const fullBytes = 8 * 1024 * 1024;
/** … and with more than this a record is lost. Between them is room for the requests that had begun before. */
const overfullBytes = 32 * 1024 * 1024;
const newline = 0x0a;

/** Opens the log. Rejects when the file cannot be opened or a torn line at its end cannot be closed. */
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
 * An audit log in a file, one JSON line a record.
 *
 * Group commit: what is appended while a write is under way goes with the next write, and what waits for the disk
 * shares a sync. Writes go on while a sync is under way, so that data-plane records never wait for the disk.
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
  /** A failed sync is not forgotten because of a write that nobody synced. */
  #failure: { at: 'write' | 'sync'; cause: Error } | undefined;
  /** Since the last line that said so. */
  #lostRecords = 0;
  #allLostRecords = 0;
  #writtenRecords = 0;
  /** Whether the file ends in the middle of a line. */
  #midLine = false;
  #probe: ScheduledTask | undefined;
  #presenceCheckedMs = Number.NEGATIVE_INFINITY;
  #closed = false;
  /** When what the file is busy with began, in `Clock.monotonicMs`. */
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

  /** Why it cannot be written now; undefined when it can. */
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

  /** Records that were written since it was opened, and synced where they are durable. */
  get writtenRecords(): number {
    return this.#writtenRecords;
  }

  /**
   * Looks whether the file at the path is still the one that is written to. One that was removed is begun anew, and of one
   * that was cut off it is told, also where nobody writes; one that was moved is written to until `reopen`.
   */
  async isInPlace(): Promise<boolean> {
    if (this.#closed) return true;
    const handle = this.#handle;
    if ((await handle.look()) !== 'whole') this.#startWriting();
    const inPlace = await handle.isAt(this.#options.path);
    // One that was replaced meanwhile was opened at the path just now.
    return inPlace || handle !== this.#handle;
  }

  #isStalled(): boolean {
    const { write, sync } = this.#busySinceMs;
    if (write === undefined && sync === undefined) return false;
    const sinceMs = Math.min(write ?? Number.POSITIVE_INFINITY, sync ?? Number.POSITIVE_INFINITY);
    return this.#options.clock.monotonicMs() - sinceMs > stalledAfterMs;
  }

  /** Goes on in a new file under the same path, for a log rotation that has moved the old one away. On failure the old one stays. */
  reopen(): Promise<void> {
    if (this.#closed) return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      this.#reopenings.push({ resolve, reject });
      this.#startWriting();
    });
  }

  /**
   * Writes and syncs what was appended, then closes. Later appends reject.
   * @returns false when that took longer than `boundMs`: the file blocks, and so would a normal end of the process.
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

  /** Writes what the log has to say of itself. */
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
      // Lets everything that is appended in this turn of the event loop come along: each write wakes another thread.
      await new Promise((resolve) => setImmediate(resolve));
      this.#busySinceMs.write = this.#options.clock.monotonicMs();
      if (this.#reopenings.length > 0) await this.#reopenNow(this.#reopenings.splice(0));
      const lines = this.#waiting;
      this.#waiting = [];
      this.#waitingBytes = 0;
      await this.#writeLines(lines);
    } while (this.#waiting.length > 0 || this.#reopenings.length > 0);
    // No `await` since the check: nothing can have been added that nobody writes.
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
    // Before anybody is told: whoever was waited for may look at once whether the log is well.
    this.#busySinceMs.write = undefined;
    if (writtenBytes > 0) this.#midLine = bytes[writtenBytes - 1] !== newline;
    this.#settleWritten(lines, writtenBytes - start.length, error);
  }

  /** A write that broke off has still recorded the lines before the break. */
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
    // Nobody may come and append, since callers are refused while the log is not healthy.
    this.#probe ??= this.#options.clock.schedule(probeIntervalMs, () => {
      this.#probe = undefined;
      if (this.#failure !== undefined && !this.#closed) this.#startWriting();
    });
  }

  /** The first line after a failure says how many records are missing; it is also the test whether the log is well again. */
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

  /** Looks before each durable write, otherwise once a second. @returns what to say at the top of a new file. */
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
