import { type Clock, delay } from '../clock.js';

/** Longer than a disk takes; a file that blocks is not waited for. */
const firstAuditLineMs = 5_000;

/**
 * Writes the first line, so that a log that cannot be written is known before the first request and not by it. It is no
 * reason not to start: every request is refused until the log can be written. `onTrouble` tells the operator what is wrong.
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
