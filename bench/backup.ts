import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runProgram } from './program.js';
import { median } from './statistics.js';
import { typescriptHooks, withoutHooks } from './typescript-child.js';

const load = fileURLToPath(new URL('backup-load.ts', import.meta.url));

/** A file system in memory: SoftHSM waits for the disk at every key, for longer than it computes. */
const memory = '/dev/shm';

/** How much is measured. */
export interface BackupPlan {
  /** Numbers of keys that are archived, ascending: what the most cost beside the fewest shows whether memory is flat. */
  levels: readonly number[];
  /** Pairs of slices with and without a backup, and encryptions in each slice. */
  pairs: number;
  encryptionsPerSlice: number;
}

/** Archives of so many keys, as fast as the HSM makes them. */
export interface BackupCost {
  keys: number;
  archivedPerSecond: number;
  verifiedPerSecond: number;
  /** Onto a member without keys. */
  restoredPerSecond: number;
  archiveBytes: number;
  /** How far the resident memory of the process rose above what it was before, at most. */
  archivingMemoryBytes: number;
  verifyingMemoryBytes: number;
  /** With every key that the token's module keeps in the process: SoftHSM keeps all. */
  restoringMemoryBytes: number;
  /** V8's own part of it. */
  restoringHeapBytes: number;
}

/** What came of it. The ratio is the median of pairs that were measured one right after the other. */
export interface BackupReport {
  costs: BackupCost[];
  /** Encryptions per second during a backup at the product's pace ÷ without. Target at least 0.9. */
  encryptDuringBackup: number;
}

/** What `backup-load.ts` prints. */
export interface BackupFigures extends Pick<BackupReport, 'costs'> {
  duringBackup: { plainRps: number; comparedRps: number }[];
}

/** What backups cost, in a process of its own. */
export async function measureBackups(plan: BackupPlan): Promise<BackupReport> {
  const output = await runProgram({
    program: process.execPath,
    parameters: ['--expose-gc', '--import', typescriptHooks, load, JSON.stringify(plan)],
    environment: { ...withoutHooks(), ...(existsSync(memory) ? { TMPDIR: memory } : {}) },
  });
  const { costs, duringBackup } = JSON.parse(output) as BackupFigures;
  const ratios = duringBackup.map(({ plainRps, comparedRps }) => comparedRps / plainRps);
  return { costs, encryptDuringBackup: Number(median(ratios).toFixed(3)) };
}

/** For people. */
export function backupLines({ costs, encryptDuringBackup }: BackupReport): string[] {
  const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
  return [
    ...costs.flatMap((cost) => [
      `Backup of ${cost.keys} keys`.padEnd(26) +
        `${cost.archivedPerSecond.toFixed(0)} keys/s, ${mebibytes(cost.archiveBytes)} MiB, memory +${mebibytes(cost.archivingMemoryBytes)} MiB; ` +
        `verified ${cost.verifiedPerSecond.toFixed(0)} keys/s, memory +${mebibytes(cost.verifyingMemoryBytes)} MiB`,
      `Restore of ${cost.keys} keys`.padEnd(26) +
        `${cost.restoredPerSecond.toFixed(0)} keys/s onto one member, memory +${mebibytes(cost.restoringMemoryBytes)} MiB, ` +
        `V8's +${mebibytes(cost.restoringHeapBytes)} MiB`,
    ]),
    `Encrypt during a backup / without  ${encryptDuringBackup.toFixed(3)}  (target 0.9)`,
  ];
}
