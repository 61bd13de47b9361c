import type { Clock, ScheduledTask } from '../clock.js';

/** The receiver of lines: a pipe, a socket or a terminal whose reader may have stopped, or a file. */
export interface LogDescriptor {
  /** Whether a write of `chunkBytes` returns at once. */
  takesWrites(): boolean;
  /** @returns the number of bytes taken. Throws the system's error. */
  write(bytes: Uint8Array): number;
}

/** A pipe takes this many bytes whole or not at all (PIPE_BUF). */
const chunkBytes = 4_096;
/** The maximum that waits for a reader; further lines are lost, and counted. */
const maxWaitingBytes = 1024 * 1024;
const retryMs = 50;
/** How long the last lines wait for a reader. */
const flushBoundMs = 500;

/**
 * Writes each line at once if a reader takes it, and never waits. A log without a reader, such as a paused pager or a
 * hung collector, must block neither a request nor the end of the process.
 */
export class UnblockedLog {
  readonly #descriptor: LogDescriptor;
  readonly #clock: Clock;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #lostLines = 0;
  #retry: ScheduledTask | undefined;

  constructor(descriptor: LogDescriptor, clock: Clock) {
    this.#descriptor = descriptor;
    this.#clock = clock;
  }

  write(line: string): void {
    if (this.#waitingBytes > maxWaitingBytes) {
      this.#lostLines += 1;
      return;
    }
    this.#add(line);
    if (this.#retry === undefined) this.#drain();
  }

  /** Before the process ends: waits briefly for a slow reader, and gives up the rest. */
  flush(done?: () => void): void {
    const pause = new Int32Array(new SharedArrayBuffer(4));
    const endMs = this.#clock.monotonicMs() + flushBoundMs;
    while (!this.#writeWaiting() && this.#clock.monotonicMs() < endMs) Atomics.wait(pause, 0, 0, 5);
    done?.();
  }

  #add(line: string): void {
    const bytes = Buffer.from(line);
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.byteLength;
  }

  #drain(): void {
    this.#retry = undefined;
    if (this.#writeWaiting()) return;
    this.#retry = this.#clock.schedule(retryMs, () => this.#drain());
  }

  /** @returns whether nothing waits any more */
  #writeWaiting(): boolean {
    for (;;) {
      const [first] = this.#waiting;
      if (first === undefined) {
        if (this.#lostLines === 0) return true;
        this.#add(this.#lostLine());
        continue;
      }
      if (!this.#descriptor.takesWrites()) return false;
      const taken = this.#writeOnce(first);
      if (taken === undefined) return false;
      this.#waitingBytes -= taken;
      if (taken < first.byteLength) this.#waiting[0] = first.subarray(taken);
      else this.#waiting.shift();
    }
  }

  /**
   * @returns how much of the line is done; undefined: retry later. A line that can never be read counts as done at
   * once.
   */
  #writeOnce(line: Buffer): number | undefined {
    try {
      return this.#descriptor.write(line.subarray(0, chunkBytes));
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EAGAIN' ? undefined : line.byteLength;
    }
  }

  #lostLine(): string {
    const lines = this.#lostLines;
    this.#lostLines = 0;
    const time = this.#clock.now().toISOString();
    return `${JSON.stringify({ level: 'error', time, pid: process.pid, lines, msg: 'lines of the log were lost, because its reader stood still' })}\n`;
  }
}
