/** A restore of a lost catalog and of a member's keys whose command is killed, and run again. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { restoredEncryptions } from '../../src/storage/adapt-restored.js';
import { makeArchive } from '../backup/make-archive.js';
import { holdfast } from '../cli/session.js';
import { commandLine } from '../e2e/deployment.js';
import type { FaultHsm } from '../native/fault-hsm.js';
import { type CrashPoint, distinctPoints, withoutRepeatedWrites } from './crash-point.js';
import type { DiskShim } from './disk-shim.js';
import type { KeptDeployment } from './kept-deployment.js';
import type { CrashScenario } from './sweep.js';

/** The member whose keys are lost. */
const emptied = 2;

export class RestoreScenario implements CrashScenario {
  readonly name = 'restore';
  readonly faults: readonly FaultHsm[];
  readonly disk: DiskShim;
  readonly #kept: KeptDeployment;
  readonly #archive: string;
  readonly #counts: number[];

  private constructor(kept: KeptDeployment, archive: string) {
    this.#kept = kept;
    this.#archive = archive;
    this.disk = kept.disk;
    this.faults = kept.wrapped.members.map(({ fault }) => fault);
    this.#counts = this.#encryptionCounts();
  }

  static async make(kept: KeptDeployment): Promise<RestoreScenario> {
    const { configurationPath, folder, defaultCluster } = kept.wrapped.deployment;
    kept.restore();
    return new RestoreScenario(kept, await makeArchive(configurationPath, folder, defaultCluster.pin));
  }

  restore(): void {
    this.#kept.restore();
    const { folder } = this.#kept.wrapped.deployment;
    for (const file of readdirSync(folder)) if (/^\.?catalog\.sqlite/.test(file)) rmSync(join(folder, file));
    this.#kept.wrapped.emptyMember(emptied);
  }

  async act(begin: () => void): Promise<boolean> {
    begin();
    const child = spawn(process.execPath, [commandLine, ...this.#words()], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...this.disk.environment },
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await once(child, 'close');
    if (child.signalCode === null && child.exitCode !== 0) throw new Error(said);
    return child.signalCode === 'SIGKILL';
  }

  async recover(): Promise<string[]> {
    this.#kept.mendTornTokens();
    const { exitCode, stderr } = await holdfast(this.#words());
    if (exitCode !== 0) return [`the next run: ${stderr}`];
    const problems: string[] = [];
    try {
      this.#kept.wrapped.expectAllOnAll();
    } catch (error) {
      problems.push(String(error));
    }
    const raised = this.#counts.map((count) => count + restoredEncryptions);
    const counts = this.#encryptionCounts();
    if (counts.join() !== raised.join()) problems.push(`the counts are ${counts.join()}, not ${raised.join()}`);
    return problems;
  }

  choose(points: readonly CrashPoint[]): CrashPoint[] {
    return distinctPoints(withoutRepeatedWrites(points));
  }

  /** The first key that is made for good, which is proved before, as the other is; and the catalog's appearance. */
  marks(points: readonly CrashPoint[]): CrashPoint[] {
    const made = points.filter(
      ({ member, functionName, place }) => member === emptied && functionName === 'C_UnwrapKey' && place === 'after',
    );
    return [...made.slice(-2, -1), ...points.filter(({ functionName }) => functionName === 'link catalog.sqlite')];
  }

  dispose(): void {
    this.#kept.restore();
  }

  #words(): string[] {
    return ['backup', 'restore', this.#archive, '--config', this.#kept.wrapped.deployment.configurationPath];
  }

  #encryptionCounts(): number[] {
    const database = new Database(join(this.#kept.wrapped.deployment.folder, 'catalog.sqlite'), { readonly: true });
    try {
      const query = 'select reserved_encryptions from encryption_reservations order by material_id';
      return database.prepare<[], number>(query).pluck().all();
    } finally {
      database.close();
    }
  }
}
