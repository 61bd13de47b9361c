import type { AuditEvent } from '../audit/event.js';
import type { AppendOptions, AuditLog } from '../audit/log.js';
import { type Clock, delay, type ScheduledTask } from '../clock.js';
import { AuditFileHandle, type AuditFileTarget, endsInTornLine } from './audit-file-handle.js';
import { AppendedLine, type AuditLine, type AuditNotice, NoticeLine, wholeLines } from './audit-line.js';
import { AuditRecordLines } from './audit-record-lines.js';
import type { OpenFileWriter } from './file-writer.js';
import { OverdueAppends } from './overdue-appends.js';

/** The path of the log, and its listeners. */
export interface AuditFileOptions {
  /** Created (0600) if it is missing; its folder must exist. May be a device such as `/dev/stdout`. */
  path: string;
  clock: Clock;
  openWriter: OpenFileWriter;
  /**
   * Called each time that the log could not be written or synced, with the number of lost request records, which may be
   * 0.
   */
  onLost?: (count: number) => void;
  /**
   * Called when the file in use was removed, and a new one begun under its path; or when the file was cut off.
   */
  onLoss?: (condition: 'removed' | 'cut-off') => void;
}

/**
 * How often a failed log is retried without a request, and how often a busy log checks whether its file still exists.
 */
const probeIntervalMs = 1_000;
/**
 * How long one operation of the file may take before the log counts as unhealthy: a lost disk blocks without an error.
 */
const stalledAfterMs = 5_000;
/**
 * With more than this waiting for a blocked file, the log is unhealthy. In characters (UTF-16 units), nearly all of
 * which are one byte: the bytes are counted only when they are written.
 */
const fullLength = 8 * 1024 * 1024;
/** With more than this waiting, a record is lost. The room between the two is for requests that had begun before. */
const overfullLength = 32 * 1024 * 1024;

/** Opens the log. Rejects if the file cannot be opened or a torn line at its end cannot be closed. */
export async function openAuditFile(options: AuditFileOptions): Promise<AuditFile> {
  const handle = await AuditFileHandle.open(options.path, options.openWriter);
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
  readonly #lines = new AuditRecordLines();
  #handle: AuditFileTarget;
  /** The lines for the next write. */
  #waiting: AuditLine[] = [];
  #waitingLength = 0;
  /** The lines in the present write. */
  #beingWritten: readonly AuditLine[] = [];
  /** The lines for the next sync. */
  #unsynced: AuditLine[] = [];
  /** The lines in the present sync. */
  #beingSynced: readonly AuditLine[] = [];
  #reopenings: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  /** True from the first waiting line until none waits. */
  #isWriting = false;
  /** Called when writing ends. */
  #onIdle: (() => void)[] = [];
  #syncing: Promise<void> | undefined;
  /** A failed sync is not forgotten because of an unsynced write. */
  #failure: { at: 'write' | 'sync'; cause: Error } | undefined;
  /** How many were lost since the last notice about it. */
  #lostRecords = 0;
  #allLostRecords = 0;
  #writtenRecords = 0;
  /** Whether the file ends in the middle of a line. */
  #midLine = false;
  #probe: ScheduledTask | undefined;
  readonly #overdue: OverdueAppends;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #closed = false;
  /** When the file's present operation began, in `Clock.monotonicMs`. */
  readonly #busySinceMs: Record<'write' | 'sync', number | undefined> = { write: undefined, sync: undefined };

  /** See `openAuditFile`. */
  constructor(options: AuditFileOptions, handle: AuditFileTarget) {
    this.#options = options;
    this.#handle = handle;
    const unsettled = () => [this.#beingSynced, this.#unsynced, this.#beingWritten, this.#waiting];
    this.#overdue = new OverdueAppends(options.clock, unsettled);
  }

  append(event: AuditEvent, options: AppendOptions): Promise<void> {
    return this.#add(new AppendedLine(this.#lines.lineOf(event), options, true), options.untilMs);
  }

  healthy(): boolean {
    return this.trouble() === undefined;
  }

  /** Why it cannot be written now; undefined if it can. */
  trouble(): Error | undefined {
    if (this.#closed) return closedError();
    if (this.#failure !== undefined) return this.#failure.cause;
    if (this.#waitingLength > fullLength) return new Error('Too many records wait for the audit log.');
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
    if (this.#isWriting) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
    await this.#syncing;
    this.#overdue.cancel();
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
    await this.#add(new AppendedLine(this.#notice({ notice }), { durable: true }, false));
  }

  #notice(notice: Omit<AuditNotice, 'time'>): string {
    return JSON.stringify({ time: this.#options.clock.now().toISOString(), ...notice } satisfies AuditNotice);
  }

  #add(line: AppendedLine, untilMs?: number): Promise<void> {
    if (this.#closed) return Promise.reject(closedError());
    if (this.#waitingLength + line.text.length > overfullLength) {
      this.#failed('write', [line], new Error('Too many records wait for the audit log.'));
      return line.settled;
    }
    this.#waiting.push(line);
    this.#waitingLength += line.text.length;
    if (untilMs !== undefined) this.#overdue.add(untilMs);
    this.#startWriting();
    return line.settled;
  }

  #startWriting(): void {
    if (this.#isWriting) return;
    this.#isWriting = true;
    // Takes along everything that is appended in this turn of the event loop: each write wakes another thread.
    setImmediate(this.#beginWrite);
  }

  /** A usual write makes no promise: it is on the path of every request. */
  readonly #beginWrite = (): void => {
    const nowMs = this.#options.clock.monotonicMs();
    this.#busySinceMs.write = nowMs;
    if (this.#mustPrepare(nowMs)) void this.#prepareAndWrite();
    else this.#writeLines(this.#takeWaiting());
  };

  #mustPrepare(nowMs: number): boolean {
    if (this.#reopenings.length > 0 || this.#failure !== undefined || this.#lostRecords > 0) return true;
    return this.#isLookDue(nowMs, this.#waiting);
  }

  async #prepareAndWrite(): Promise<void> {
    if (this.#reopenings.length > 0) await this.#reopenNow(this.#reopenings.splice(0));
    const records = this.#takeWaiting();
    let notices: AuditLine[];
    try {
      notices = [...(await this.#mendFile(records)), ...this.#lostNotice()];
    } catch (error) {
      this.#failed('write', records, error as Error);
      this.#writeEnded();
      return;
    }
    this.#writeLines([...notices, ...records]);
  }

  #takeWaiting(): AuditLine[] {
    const lines = this.#waiting;
    this.#waiting = [];
    this.#waitingLength = 0;
    return lines;
  }

  #writeLines(lines: readonly AuditLine[]): void {
    if (lines.length === 0) {
      this.#writeEnded();
      return;
    }
    this.#beingWritten = lines;
    let text = this.#midLine ? '\n' : '';
    for (const line of lines) text += line.text;
    this.#handle.write(text, this.#onWritten);
  }

  readonly #onWritten = (writtenBytes: number, error: Error | undefined): void => {
    const lines = this.#beingWritten;
    this.#beingWritten = [];
    // Before the listeners: a waiter may check at once whether the log is well.
    this.#busySinceMs.write = undefined;
    this.#settleWritten(lines, error === undefined ? lines.length : this.#countWhole(lines, writtenBytes), error);
    this.#writeEnded();
  };

  /** The lines before an interruption were written. */
  #countWhole(lines: readonly AuditLine[], writtenBytes: number): number {
    if (writtenBytes === 0) return 0;
    const { count, endsMidLine } = wholeLines(lines, writtenBytes - (this.#midLine ? 1 : 0));
    this.#midLine = endsMidLine;
    return count;
  }

  #settleWritten(lines: readonly AuditLine[], writtenCount: number, error: Error | undefined): void {
    const inKernel: AuditLine[] = [];
    for (const line of lines.slice(0, writtenCount)) (line.durable ? this.#unsynced : inKernel).push(line);
    this.#countWritten(inKernel);
    if (writtenCount < lines.length) this.#failed('write', lines.slice(writtenCount), error);
    else this.#wroteAll();
    if (this.#unsynced.length > 0) this.#syncing ??= this.#syncAll();
    for (const line of inKernel) line.settle(undefined);
  }

  #wroteAll(): void {
    this.#midLine = false;
    if (this.#failure?.at === 'write') this.#failure = undefined;
  }

  #writeEnded(): void {
    if (this.#waiting.length > 0 || this.#reopenings.length > 0) {
      setImmediate(this.#beginWrite);
      return;
    }
    this.#busySinceMs.write = undefined;
    this.#isWriting = false;
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  #countWritten(lines: readonly AuditLine[]): void {
    for (const line of lines) if (line.isRecord) this.#writtenRecords += 1;
  }

  async #syncAll(): Promise<void> {
    while (this.#unsynced.length > 0) {
      const lines = this.#unsynced;
      this.#unsynced = [];
      this.#beingSynced = lines;
      this.#busySinceMs.sync = this.#options.clock.monotonicMs();
      try {
        await this.#handle.sync();
        if (this.#failure?.at === 'sync') this.#failure = undefined;
        this.#countWritten(lines);
        for (const line of lines) line.settle(undefined);
      } catch (error) {
        this.#failed('sync', lines, error as Error);
      }
    }
    this.#beingSynced = [];
    this.#busySinceMs.sync = undefined;
    this.#syncing = undefined;
  }

  #failed(at: 'write' | 'sync', lines: readonly AuditLine[], error: Error | undefined): void {
    this.#failure = { at, cause: error ?? new Error('The disk took a part of it.') };
    const count = lines.filter(({ isRecord }) => isRecord).length;
    this.#lostRecords += count;
    this.#allLostRecords += count;
    this.#options.onLost?.(count);
    for (const line of lines) line.settle(error);
    // Perhaps no append comes, since callers are refused while the log is unhealthy.
    this.#probe ??= this.#options.clock.schedule(probeIntervalMs, () => {
      this.#probe = undefined;
      if (this.#failure !== undefined && !this.#closed) this.#startWriting();
    });
  }

  /** The first line after a failure says how many records are missing; it also tests whether the log is well again. */
  #lostNotice(): AuditLine[] {
    const count = this.#lostRecords;
    if (count === 0 && this.#failure === undefined) return [];
    this.#lostRecords = 0;
    return [new NoticeLine(this.#notice({ notice: 'records-lost', count }), () => (this.#lostRecords += count))];
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
    const next = await AuditFileHandle.open(this.#options.path, this.#options.openWriter);
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

  /** The file is looked at before each durable write, otherwise once a second. */
  #isLookDue(nowMs: number, records: readonly AuditLine[]): boolean {
    return nowMs - this.#lookedAtMs >= probeIntervalMs || records.some((line) => line.durable);
  }

  /** @returns the notices at the top of a new file. */
  async #mendFile(records: readonly AuditLine[]): Promise<AuditLine[]> {
    const nowMs = this.#options.clock.monotonicMs();
    if (!this.#isLookDue(nowMs, records)) return [];
    this.#lookedAtMs = nowMs;
    const condition = await this.#handle.look();
    if (condition === 'whole') return [];
    if (condition === 'removed') await this.#replaceHandle();
    else await this.#goOnAfterCut();
    this.#options.onLoss?.(condition);
    return [new NoticeLine(this.#notice({ notice: `file-${condition}` }))];
  }
}

const closedError = (): Error => new Error('The audit log is closed.');
