import type { HsmCluster } from '../clusters/hsm-cluster.js';
import { HoldfastError } from '../errors.js';
import type { KeysCore } from '../keys/core.js';
import { materialReference } from '../keys/material.js';
import type { Pace } from './pace.js';

/** The dependencies of the check; `callTimeoutMs` is for one material. */
export interface DriftCheckTools {
  core: Pick<KeysCore, 'catalog' | 'clock' | 'onBackgroundError'>;
  pace: Pace;
  callTimeoutMs: number;
  /** How many materials of each member one round proves. */
  sampleSize: number;
}

/**
 * Proves materials that nobody uses: a key that has lost CKA_SENSITIVE or CKA_WRAP_WITH_TRUSTED, or was replaced, would
 * otherwise show at its next use only. Each round continues after the last material of the round before.
 */
export class DriftCheck {
  readonly #tools: DriftCheckTools;
  readonly #lastProved = new Map<string, string>();

  constructor(tools: DriftCheckTools) {
    this.#tools = tools;
  }

  /**
   * @param present ids of the member's materials, ascending
   * @returns those that are not what the catalog says; each has been an alert, too
   */
  async ofMember(
    cluster: HsmCluster,
    memberName: string,
    present: readonly string[],
    signal: AbortSignal,
  ): Promise<string[]> {
    const drifted: string[] = [];
    for (const materialId of this.#sample(`${cluster.clusterId}/${memberName}`, present)) {
      await this.#tools.pace.turn(signal);
      if (signal.aborted) break;
      try {
        await this.#prove(cluster, memberName, materialId);
      } catch (error) {
        if (!isOfMaterial(error)) {
          this.#tools.core.onBackgroundError(error, `proving key material ${materialId} on member ${memberName}`);
          break;
        }
        if (await this.#tools.core.catalog.isMaterialKept(materialId)) drifted.push(materialId);
      }
    }
    return drifted;
  }

  #sample(place: string, present: readonly string[]): string[] {
    const last = this.#lastProved.get(place) ?? '';
    const start = present.findIndex((materialId) => materialId > last);
    const rest = start < 0 ? present : present.slice(start);
    const sample = rest.slice(0, this.#tools.sampleSize);
    const end = sample.at(-1);
    if (end !== undefined) this.#lastProved.set(place, end);
    return sample;
  }

  async #prove(cluster: HsmCluster, memberName: string, materialId: string): Promise<void> {
    const { core, callTimeoutMs } = this.#tools;
    const record = await core.catalog.findMaterial(materialId);
    if (record === undefined) return;
    const call = { deadlineMs: core.clock.monotonicMs() + callTimeoutMs };
    await cluster.perform('proveKeyMaterial', { material: materialReference(record), memberName }, call);
  }
}

/** Whether the member judged the material, and not itself. */
function isOfMaterial(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'KMS_INVALID_STATE';
}
