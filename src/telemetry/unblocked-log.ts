import type { Clock, ScheduledTask } from '../clock.js';

/** Where lines go: a pipe, a socket or a terminal that somebody may have stopped reading, or a file. */
export interface LogDescriptor {
  /** Whether a write of `chunkBytes` returns at once. */
  takesWrites(): boolean;
  /** @returns how many bytes were taken. Throws what the system says. */
  write(bytes: Uint8Array): number;
}

/** What a pipe takes whole or not at all (PIPE_BUF). */
const chunkBytes = 4_096;
/** So much waits for a reader; lines beyond it are lost, and counted. */
const longestWaitingBytes = 1024 * 1024;
const retryMs = 50;
/** How long the last lines wait for a reader. */
const flushBoundMs = 500;

/**
 * Writes each line at once where somebody reads, and never waits: a log that nobody reads, such as a pager that stands still or a
 * collector that hangs, must stop no request and no stop of the process.
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
    if (this.#waitingBytes > longestWaitingBytes) {
      this.#lostLines += 1;
      return;
    }
    this.#add(line);
    if (this.#retry === undefined) this.#drain();
  }

  /** Before the process ends: waits for a slow reader for a moment, and gives up what is left. */
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

  /** @returns how much of the line is done with; undefined: later. What nobody can ever read is done with at once. */
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
    return `${JSON.stringify({ level: 'error', time, pid: process.pid, lines, msg: 'lines of the log were lost: nobody read them' })}\n`;
  }
}
