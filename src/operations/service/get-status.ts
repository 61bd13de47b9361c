import { onAccount } from '../operation.js';
import type { BackupSummary } from '../../backup/summary.js';
import type { Clock } from '../../clock.js';
import type { RequestContext } from '../../calls/request-context.js';
import { type Concern, concernsOf, type Severity, visibleTo, worst } from '../../status/concerns.js';
import type { ServiceStatus, StatusSource } from '../../status/service-status.js';

/** The reports that GetStatus combines. */
export interface StatusCore {
  status: StatusSource;
  clock: Clock;
}

/** The state of the process, and its problems. */
export interface GetStatusResponse {
  severity: Severity;
  concerns: Concern[];
  keyStores: object[];
  catalog: { readable: boolean; writable: boolean };
  deletions: object;
  encryptionBudgetUsed: number;
  audit: ServiceStatus['audit'];
  disks: ServiceStatus['disks'];
  certificates: ServiceStatus['certificates'];
  process: object;
  backups?: object;
}

/** The process, and the key stores of the caller's account and region. Asks no HSM. */
export async function getStatus(
  { status: source, clock }: StatusCore,
  context: RequestContext,
): Promise<GetStatusResponse> {
  const status = visibleTo(context.principal, await source.status());
  const concerns = concernsOf(status, clock.now());
  const { catalogReadable, catalogWritable, deletionHold, keyStores, process, backups, ...others } = status;
  // Shown as concerns only.
  const { certificateTrouble: _certificates, configurationTrouble: _configuration, ...same } = others;
  return {
    severity: worst(concerns),
    concerns,
    keyStores: keyStores.map(({ scope: _, members, pinAge, ...shown }) => ({
      ...withoutNulls(shown),
      pinSinceDate: pinAge?.sinceDate,
      members: members.map(withoutNulls),
    })),
    catalog: { readable: catalogReadable, writable: catalogWritable },
    deletions: { held: deletionHold !== null, ...deletionHold },
    ...(backups === null ? {} : { backups: shownBackups(backups) }),
    process: { ...process, replacement: process.replacement.toUpperCase().replace('-', '_') },
    ...same,
  };
}

function shownBackups({ everyMs, lastComplete, lastVerified, ...flags }: BackupSummary): object {
  const { startTime, backupId, generations, verification, verificationTime } = lastComplete ?? {};
  const last = { lastCompleteTime: startTime, lastCompleteBackupId: backupId, generations: generations ?? [] };
  const verified = { verification, verificationTime, lastVerifiedTime: lastVerified?.verificationTime };
  const intervalSeconds = everyMs === undefined ? undefined : everyMs / 1_000;
  const { absent: absentArchives, isLastIncomplete: lastIncomplete, isLastRefused: lastRefused } = flags;
  const all = { intervalSeconds, ...last, ...verified, absentArchives, lastIncomplete, lastRefused };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined && value !== null));
}

/** The wire has absent fields, not null. */
function withoutNulls(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

/** GetStatus. Its action has a prefix of its own, because AWS has no such action. */
export const getStatusOperation = onAccount<object>({
  plane: 'data',
  audited: [],
  action: 'holdfast:GetStatus',
  run: ({ status }, _call, context) => getStatus(status, context),
});
