import { existsSync, rmSync } from 'node:fs';
import type { RestoredMember } from '../../jobs/restore-keys.js';
import { systemClock as clock } from '../../clock-system.js';
import { materialsOfCluster } from '../../keys/cluster-materials.js';
import { CliError, exitCodes } from '../exit-codes.js';
import { loadForCommand } from '../local-configuration.js';
import type { Terminal } from '../terminal.js';
import { ArchiveFile } from './archive-file.js';
import { decryptSamples, readSamples, type SampleOutcome } from './drill-samples.js';
import { type AfterRestore, restoreBackup, type RestoreOptions, type RestoreResult } from './restore-backup.js';

/** The options of `backup drill`. */
export interface DrillOptions extends RestoreOptions {
  /** A file of ciphertexts. */
  ciphertexts?: string;
  /** Leaves the restored catalog and keys where they are. */
  keep?: true;
}

/** What a drill showed. */
export interface DrillResult {
  startedDate: Date;
  finishedDate: Date;
  /** From the beginning of the restore until the last sample was decrypted. */
  recoveryTimeMs: number;
  /** From the moment that the archive was made until the drill began: what would be lost if the loss were now. */
  recoveryPointMs: number;
  restored: RestoreResult;
  samples: SampleOutcome;
  kept: boolean;
}

const callTimeoutMs = 30_000;

/**
 * Restores an archive into scratch tokens, decrypts a sample, and takes the time. Afterwards what it made is destroyed.
 * @throws CliError if the catalog or the tokens of the configuration are not scratch: then nothing was changed
 */
export async function drillBackup(terminal: Terminal, file: string, options: DrillOptions): Promise<DrillResult> {
  const { catalog } = await loadForCommand(options.config);
  const samples = options.ciphertexts === undefined ? [] : await readSamples(options.ciphertexts);
  if (existsSync(catalog.path)) throw notScratch(`there is a catalog at ${catalog.path}`);
  const { manifest } = await ArchiveFile.open(file);
  const before = await restoreBackup(terminal, file, { ...options, dryRun: true });
  for (const member of before.members) requireScratch(member);

  const startedDate = clock.now();
  const startedMs = clock.monotonicMs();
  let outcome: SampleOutcome = { given: 0, decrypted: 0, failures: [] };
  let recoveryTimeMs = 0;
  const restored = await restoreBackup(terminal, file, options, async (opened) => {
    outcome = await decryptSamples(samples, opened.catalog, opened.connectedCluster, clock);
    recoveryTimeMs = clock.monotonicMs() - startedMs;
    // A member that was open for the first time now may be no scratch token: its keys are not the drill's.
    for (const member of opened.members) requireScratch(member);
    if (options.keep !== true) for (const member of opened.members) await destroyKeys(opened, member);
  });
  if (options.keep !== true)
    for (const end of ['', '-wal', '-shm', '-lock']) rmSync(catalog.path + end, { force: true });
  const recoveryPointMs = startedDate.getTime() - Date.parse(manifest.created_date);
  const times = { startedDate, finishedDate: clock.now(), recoveryTimeMs, recoveryPointMs };
  return { ...times, restored, samples: outcome, kept: options.keep === true };
}

/** @throws CliError unless the member is open and has none of the catalog's keys */
function requireScratch({ memberName, isOpen, expected, lacking }: RestoredMember): void {
  if (!isOpen) throw notScratch(`member ${memberName} could not be opened, so nothing is known of it`);
  if (lacking < expected) throw notScratch(`member ${memberName} has keys of the archive`);
}

/** The keys on one scratch token, which had none of them before. */
async function destroyKeys(
  { catalog, audit, connectedCluster }: Parameters<AfterRestore>[0],
  { clusterId, memberName }: RestoredMember,
): Promise<void> {
  const cluster = connectedCluster(clusterId);
  if (cluster === undefined) return;
  const parameters = { cluster_id: clusterId, member: memberName };
  await audit.perform({ operation: 'DestroyKeysOfDrill', resources: [], parameters }, async () => {
    for await (const { materialId } of materialsOfCluster(catalog, clusterId)) {
      const call = { deadlineMs: clock.monotonicMs() + callTimeoutMs };
      await cluster.perform('destroyKeyMaterial', { materialId, memberName }, call);
    }
  });
}

function notScratch(why: string): CliError {
  return new CliError(exitCodes.checkFailed, 'NOT_SCRATCH', `a drill is for scratch tokens and no catalog: ${why}`, {
    hint: 'name scratch tokens and a free catalog path in a configuration of their own: docs/operating/disaster-recovery.md',
  });
}
