import type { AuditFileTarget, WriteListener } from '../src/storage/audit-file-handle.js';

/** How the disk treats the next writes and syncs. */
export interface DiskFaults {
  /** How many bytes of a write it takes before it fails. */
  room: number;
  /** Whether it answers only after `proceed`. */
  blocks: boolean;
  syncFails: boolean;
}

/** A disk that blocks, fails and tears lines on demand, and knows what is on it. */
export class FaultyDisk implements AuditFileTarget {
  readonly faults: DiskFaults = { room: Number.POSITIVE_INFINITY, blocks: false, syncFails: false };
  /** What the kernel has, as UTF-8. */
  written = Buffer.alloc(0);
  /** How much of that is on the disk. */
  syncedBytes = 0;
  #held: (() => void)[] = [];

  write(text: string, onWritten: WriteListener): void {
    this.#whenReady(() => {
      const bytes = Buffer.from(text);
      const taken = bytes.subarray(0, this.faults.room);
      this.written = Buffer.concat([this.written, taken]);
      onWritten(taken.byteLength, taken.byteLength < bytes.byteLength ? new Error('ENOSPC') : undefined);
    });
  }

  async sync(): Promise<void> {
    // A sync need not cover what is written while it runs.
    const { byteLength } = this.written;
    await new Promise<void>((resolve) => this.#whenReady(resolve));
    if (this.faults.syncFails) throw new Error('EIO');
    this.syncedBytes = byteLength;
  }

  /** Lets the calls that it holds back continue, in order. */
  proceed(): void {
    for (const task of this.#held.splice(0)) task();
  }

  look = () => Promise.resolve('whole' as const);
  acceptLength = () => Promise.resolve();
  isAt = () => Promise.resolve(true);
  close = () => Promise.resolve();

  /** The request ids of the whole lines among the first bytes. A torn line is on a line of its own. */
  requestIds(bytes = this.written.byteLength): string[] {
    const lines = this.written.subarray(0, bytes).toString().split('\n').slice(0, -1);
    return lines.flatMap((line) => {
      try {
        return [(JSON.parse(line) as { requestId: string }).requestId];
      } catch {
        return [];
      }
    });
  }

  #whenReady(task: () => void): void {
    if (this.faults.blocks) this.#held.push(task);
    else setImmediate(task);
  }
}
