import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { BackupRecord } from '../../src/backup/backup-record.js';
import { systemClock } from '../../src/clock-system.js';
import type { HsmCluster } from '../../src/clusters/hsm-cluster.js';
import { randomIdentifiers } from '../../src/ids.js';
import { Backups, type BackupsOptions } from '../../src/jobs/backups.js';
import { describeKeyDeletion } from '../../src/operations/backups/describe-key-deletion.js';
import { archiveFolder } from '../../src/storage/archive-folder.js';
import { inspectCatalog } from '../../src/storage/catalog-inspection.js';
import { catalogSnapshots } from '../../src/storage/catalog-snapshot.js';
import { ManualClock } from '../manual-clock.js';
import { waitFor } from '../wait-for.js';
import { WrappedCluster } from '../wrapped-cluster.js';
import { clusterId } from './fixture.js';

let made: WrappedCluster | undefined;
const started: Backups[] = [];

/** Ends what a test has begun. */
export async function closeSite(): Promise<void> {
  await Promise.all(started.splice(0).map((backups) => backups.stop()));
  await made?.dispose();
  made = undefined;
}

/** A wrapped cluster with its catalog and a folder of backups. */
export interface Site {
  on: WrappedCluster;
  cluster: HsmCluster;
  clock: ManualClock;
  folder: string;
}

/** Two members, and so many keys on them. */
export async function site(keys = 2): Promise<Site> {
  const on = await WrappedCluster.make(2);
  made = on;
  const cluster = await on.connected();
  const folder = join(on.folder, 'backups');
  mkdirSync(folder, { mode: 0o700 });
  for (let count = 0; count < keys; count++) await on.makeKey(cluster);
  return { on, cluster, folder, clock: new ManualClock(systemClock.now()) };
}

/** The tools of its archives. */
export function archiveOf({ on, cluster, clock }: Site): BackupsOptions['archive'] {
  return {
    clock,
    identity: { partition: 'aws', region: 'eu-central-1', accounts: ['111122223333'] },
    holdfastVersion: '0.0.0',
    clusters: () => [{ clusterId, name: 'primary', replication: 'wrapped', trust: 'enforced' }],
    connectedCluster: () => cluster,
    isMaterialKept: (id) => on.catalog.isMaterialKept(id),
    turn: () => Promise.resolve(),
    // The clock of the cluster is another one.
    callTimeoutMs: 1e12,
  };
}

/** Its folder of backups. */
export function storageOf({ on, folder, clock }: Site): NonNullable<BackupsOptions['storage']> {
  return {
    folder: archiveFolder(folder),
    snapshots: catalogSnapshots(join(on.folder, 'catalog.db'), folder),
    inspectCatalog: () => inspectCatalog(folder, clock),
  };
}

/** The backups of a process. */
export function backupsOf(site: Site, change: Partial<BackupsOptions> = {}, holder?: string): Backups {
  const { on } = site;
  const { audit, leases } = on.own(holder);
  const backups = new Backups({
    catalog: on.catalog,
    storage: storageOf(site),
    archive: archiveOf(site),
    ...{ audit, leases, identifiers: randomIdentifiers, everyMs: null, keep: 2 },
    onBackgroundError: (error, what) => void on.backgroundErrors.push({ error, what }),
    ...change,
  });
  started.push(backups);
  return backups;
}

/** Waits until a backup does not run any more. */
export async function ended(backups: Backups, backupId: string): Promise<BackupRecord> {
  return waitFor(async () => {
    const found = await backups.find(backupId);
    expect(found?.state).not.toBe('RUNNING');
    return found!;
  });
}

/** A key of the site, and the report of its deletion. */
export async function keyOf(here: Site, backups: Backups) {
  const { catalog } = here.on;
  const [material] = await catalog.listMaterialsOfCluster(clusterId, undefined, 1);
  const scope = { account: '111122223333', region: 'eu-central-1' };
  const { keyId } = material!;
  const report = () => describeKeyDeletion({ catalog, backups }, scope, { keyId });
  const destroy = async (): Promise<Date> => {
    const deletionDate = here.clock.now();
    const pending = { state: 'PendingDeletion', deletionDate, pendingDeletionWindowInDays: 7 } as const;
    await catalog.changeKeyState(scope, keyId, ['Enabled'], pending);
    await catalog.beginDeletion(scope, keyId, deletionDate);
    await catalog.completeDeletion(scope, keyId, deletionDate);
    return deletionDate;
  };
  return { keyId, report, destroy };
}
