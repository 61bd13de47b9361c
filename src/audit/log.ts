import type { AuditEvent } from './event.js';

/** The options for appending a record. */
export interface AppendOptions {
  /** Whether the record must be on the disk, not only in the kernel. */
  durable: boolean;
  /** The end of the wait for a log that blocks, absolute in `Clock.monotonicMs`. Left out: the wait has no end. */
  untilMs?: number;
}

/** The port to the audit log. */
export interface AuditLog {
  /**
   * Resolves when the record has reached the kernel or, with `durable`, the disk. Rejects when it cannot be written;
   * the request is then refused (nothing is done unaudited, invariant 10). Also rejects after `untilMs`; the log still
   * keeps the record, and writes it when it can.
   */
  append(event: AuditEvent, options: AppendOptions): Promise<void>;
  /** False after a failed append until one succeeds: the dispatcher refuses work before it starts. */
  healthy(): boolean;
}
