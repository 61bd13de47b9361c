import type { BackupSummary } from '../backup/summary.js';

/** Clocks of two nodes may be so far apart. The alert has the same bound. */
const futureMs = 10 * 60_000;

/** What an operator should know of backups: each is a warning, and callers notice none of it. */
export function backupTroubles(backups: BackupSummary | null, now: Date): string[] {
  if (backups === null) return [];
  const { everyMs, lastComplete, isLastIncomplete, isLastRefused, absent, unreadable } = backups;
  const troubles: string[] = [];
  const ageMs = lastComplete && now.getTime() - lastComplete.startTime.getTime();
  if (ageMs !== undefined && ageMs < -futureMs)
    troubles.push(`The newest complete one was begun in the future (${dateOf(lastComplete)}): the clock went back.`);
  if (everyMs !== undefined && ageMs === undefined)
    troubles.push('There is no complete one in the folder: holdfast backup create');
  if (everyMs !== undefined && ageMs !== undefined && ageMs > 2 * everyMs)
    troubles.push(`The newest complete one is of ${dateOf(lastComplete)}, older than two intervals of the schedule.`);
  if (isLastIncomplete) troubles.push('The last one failed, or lacks keys: holdfast backup list');
  if (isLastRefused) troubles.push('One was refused when it was verified last: holdfast backup list');
  if (absent > 0)
    troubles.push(
      `${absent} archives are gone from the folder, or changed, and not by the service: holdfast backup list`,
    );
  if (unreadable.length > 0) {
    const what = unreadable
      .slice(0, 3)
      .map((name) => JSON.stringify(name))
      .join(', ');
    troubles.push(
      `${unreadable.length} names in the folder are links, or cannot be read: ${what}. Remove or mend them.`,
    );
  }
  return troubles;
}

function dateOf(record: BackupSummary['lastComplete']): string {
  return record?.startTime.toISOString() ?? '';
}
