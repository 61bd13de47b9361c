import { stat } from 'node:fs/promises';
import type { Configuration } from '../../config/configuration.js';
import type { Finding } from './finding.js';
import { fail, ok, warn } from './finding.js';

/** Before this no Holdfast existed. */
const earliest = new Date('2026-01-01T00:00:00Z');

/** A clock that is off destroys keys early or late and refuses good certificates. */
export async function checkClock(configuration: Configuration, now: Date): Promise<Finding> {
  const subject = 'clock';
  if (now < earliest) return fail(subject, `it says ${now.toISOString()}`, 'set it, and keep it right with NTP');
  for (const path of [configuration.path, configuration.catalog.path, configuration.audit.file]) {
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && found.mtimeMs > now.getTime() + 60_000) {
      return warn(
        subject,
        `${path} was changed in the future (${found.mtime.toISOString()})`,
        'the clock was set back, or is wrong: keep it right with NTP',
      );
    }
  }
  return ok(subject, now.toISOString());
}
