import { open, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathProblem } from '../../path-problem.js';
import { localError } from '../exit-codes.js';
import { generationState, highestGeneration, isComplete, type MemberMarks } from './generations.js';
import type { GenerationNumbers } from './numbers.js';
import type { CeremonyPurpose } from './record.js';

/** One command on one cluster. */
export interface UnrecordedCeremony {
  readonly purpose: CeremonyPurpose;
  readonly clusterId: string;
  /** The member that `remove-member` leaves out. */
  readonly without: string | null;
}

/**
 * A file beside the record that is there from before the first key until the record is written. Without it a rotation
 * that was broken off between its last mark and its record would look like one that is over, and the next run would make
 * one more generation.
 */
export class UnrecordedNote {
  readonly #path: string;
  readonly #ceremony: UnrecordedCeremony;

  /** @param recordPath the place of the record that this run will write */
  constructor(recordPath: string, clusterName: string, ceremony: UnrecordedCeremony) {
    this.#path = join(dirname(recordPath), `${clusterName}-ceremony.unrecorded`);
    this.#ceremony = ceremony;
  }

  /**
   * The newest generation, if all members have it and the same command was broken off before it was recorded.
   * @param removed the member that is left out; undefined: there is none, or it cannot be read. A run on another host can
   *   have given it that generation since
   */
  async generation(
    members: readonly MemberMarks[],
    removed: MemberMarks | undefined,
  ): Promise<GenerationNumbers | undefined> {
    const newest = generationState(members, highestGeneration(members));
    const isKnownToLackIt = removed?.generations.every(({ number }) => number !== newest.number) === true;
    if (this.#ceremony.without !== null && !isKnownToLackIt) return undefined;
    const noted = await this.#read();
    return isComplete(newest) && noted.includes(newest.number) ? [newest.number] : undefined;
  }

  /** Waits until it is on disk. @throws CliError */
  async write(generations: readonly number[]): Promise<void> {
    try {
      await using file = await open(this.#path, 'w', 0o600);
      await file.writeFile(`${JSON.stringify({ ...this.#ceremony, generations })}\n`);
      await file.sync();
    } catch (error) {
      const { reason, remedy } = pathProblem(error, 'written');
      throw localError(`${this.#path} ${reason}`, error, remedy);
    }
  }

  async remove(): Promise<void> {
    await rm(this.#path, { force: true });
  }

  /** Nothing for another command, and for a file that a kill left half-written: nothing was made by then. */
  async #read(): Promise<readonly number[]> {
    try {
      const { generations, ...ceremony } = JSON.parse(await readFile(this.#path, 'utf8')) as UnrecordedCeremony & {
        generations: readonly number[];
      };
      return JSON.stringify(ceremony) === JSON.stringify(this.#ceremony) ? generations : [];
    } catch {
      return [];
    }
  }
}
