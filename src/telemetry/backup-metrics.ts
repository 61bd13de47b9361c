import type { BackupSummary } from '../backup/summary.js';
import type { Metrics } from './metrics.js';

/** Shows what is known of backups. Series of what does not exist are removed. */
export function showBackups({ gauges }: Metrics, summary: BackupSummary | undefined): void {
  const { backupInterval, backupTime, backupDuration, backupSize, backupKeyMaterials, backupVerifiedTime } = gauges;
  const { backupIncomplete, backupRefused, backupAbsent } = gauges;
  const all = [backupInterval, backupTime, backupDuration, backupSize, backupKeyMaterials, backupVerifiedTime];
  for (const gauge of [...all, backupIncomplete, backupRefused, backupAbsent]) gauge.reset();
  if (summary === undefined) return;
  const { everyMs, lastComplete, lastVerified, isLastIncomplete, isLastRefused, absent } = summary;
  if (everyMs !== undefined) backupInterval.set(everyMs / 1_000);
  backupIncomplete.set(isLastIncomplete ? 1 : 0);
  backupRefused.set(isLastRefused ? 1 : 0);
  backupAbsent.set(absent);
  if (lastVerified?.verificationTime) backupVerifiedTime.set(lastVerified.verificationTime.getTime() / 1_000);
  if (lastComplete === undefined) return;
  const { startTime, endTime, sizeBytes, keyMaterials } = lastComplete;
  backupTime.set(startTime.getTime() / 1_000);
  backupDuration.set(((endTime ?? startTime).getTime() - startTime.getTime()) / 1_000);
  backupSize.set(sizeBytes ?? 0);
  backupKeyMaterials.set(keyMaterials);
}
