import { isProblem, lookAt } from '../path-problem.js';
import { fail, type Finding, ok, warn } from './finding.js';
import type { Surroundings } from './precondition.js';

/** No Holdfast existed before this date. */
const earliest = new Date('2026-01-01T00:00:00Z');

/** A wrong clock destroys keys early or late and refuses valid certificates. */
export async function checkClock({ configuration, now }: Surroundings): Promise<Finding[]> {
  const subject = 'clock';
  if (now < earliest) return [fail(subject, `it says ${now.toISOString()}`, 'set it, and keep it right with NTP')];
  for (const path of [configuration.path, configuration.catalog.path, configuration.audit.file]) {
    // A file that cannot be examined is reported by the check of that file.
    const found = await lookAt(path);
    if (!isProblem(found) && found.mtimeMs > now.getTime() + 60_000) {
      const remedy = 'the clock was set back, or is wrong: keep it right with NTP';
      return [warn(subject, `${path} was changed in the future (${found.mtime.toISOString()})`, remedy)];
    }
  }
  return [ok(subject, now.toISOString())];
}
