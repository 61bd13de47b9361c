import type { AuditEvent } from './event.js';

/** The port to the audit log. */
export interface AuditLog {
  /**
   * Resolves when the record has reached the kernel or, with `durable`, the disk. Rejects when it cannot be written;
   * the request is then refused (nothing is done unaudited, invariant 10).
   */
  append(event: AuditEvent, options: { durable: boolean }): Promise<void>;
  /** False after a failed append until one succeeds: the dispatcher refuses work before it starts. */
  healthy(): boolean;
}
