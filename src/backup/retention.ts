import { type BackupRecord, type FolderFiles, hasArchive, isInFolder } from './backup-record.js';

/**
 * The scheduled backups that retention removes. An archive that is complete, and that no verification has refused, is good: the
 * newest `keep` of the schedule stay. So do the newest `keep` of the others that are younger than those, since an incomplete
 * one may be all that there is of a key. Spared whatever their age: what an operator made, the newest good one, the newest
 * whose verification passed, and of each cluster the newest that has its keys and was not refused.
 * @param records those whose files are in the folder, with the length that they had, count; another keeps none from staying
 */
export function outdated(records: readonly BackupRecord[], keep: number, files: FolderFiles): BackupRecord[] {
  const present = records
    .filter((record) => hasArchive(record) && isInFolder(record, files))
    .sort((one, other) => other.startTime.getTime() - one.startTime.getTime());
  const scheduled = present.filter(({ trigger }) => trigger === 'SCHEDULE');
  const good = scheduled.filter(isGood).slice(0, keep);
  const oldestGood = good.length < keep ? undefined : good.at(-1);
  const others = scheduled
    .filter((record) => !isGood(record) && (oldestGood === undefined || record.startTime >= oldestGood.startTime))
    .slice(0, keep);
  const kept = new Set([...good, ...others, ...spared(present)]);
  return scheduled.filter((record) => !kept.has(record));
}

function spared(present: readonly BackupRecord[]): BackupRecord[] {
  const usable = present.filter(({ verification }) => verification !== 'FAILED');
  const clusterIds = new Set(usable.flatMap(({ generations }) => generations.map(({ clusterId }) => clusterId)));
  const ofClusters = [...clusterIds].map((wanted) =>
    usable.find(({ generations }) => generations.some(({ clusterId }) => clusterId === wanted)),
  );
  const newest = [present.find(isGood), present.find(({ verification }) => verification === 'PASSED'), ...ofClusters];
  return newest.filter((record) => record !== undefined);
}

/** A complete archive that no verification has refused: only such a one takes the place of an older one. */
function isGood({ state, verification }: BackupRecord): boolean {
  return state === 'COMPLETE' && verification !== 'FAILED';
}
