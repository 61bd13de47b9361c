import { type Clock, delay } from '../clock.js';

/** The time for the first line: longer than a disk takes. Nothing waits longer for a file that blocks. */
const firstAuditLineMs = 5_000;

/**
 * Writes the first line, so an unwritable log is known before the first request. It does not prevent the start: every
 * request is refused until the log can be written. `onTrouble` reports the problem to the operator.
 */
export async function beginAuditing(
  auditFile: { note(notice: 'opened'): Promise<void> },
  clock: Clock,
  onTrouble: () => void,
): Promise<void> {
  const noted = new AbortController();
  const overdue = delay(clock, firstAuditLineMs, noted.signal).then(() => {
    throw new Error('The first line was not written in time.');
  });
  try {
    await Promise.race([auditFile.note('opened'), overdue]);
  } catch {
    onTrouble();
  } finally {
    noted.abort();
  }
}
