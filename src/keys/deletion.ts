import { keyArn } from './arn.js';
import type { KeysCore } from './core.js';
import type { KeyRecord } from './key.js';
import { Rounds } from './rounds.js';

/** What the rounds of deletion work with, and their times in milliseconds. */
export interface DeletionOptions {
  core: Pick<KeysCore, 'catalog' | 'keyStores' | 'identity' | 'clock' | 'onBackgroundError'>;
  /** Default one minute. */
  intervalMs?: number | undefined;
  /** How long one material's destruction on its cluster may take. Default 30 s. */
  destroyTimeoutMs?: number | undefined;
}

const batchSize = 100;

/**
 * Destroys the material of keys whose deletion date has come, on their clusters, and leaves tombstones.
 *
 * `Deleting` is entered by compare-and-set before the first call to a token and cannot be cancelled, so no request can use
 * or rescue a key whose material is half gone; what a crash left in `Deleting` is taken up by the next round. A key whose
 * cluster is not connected stays pending deletion until it is.
 */
export class KeyDeletion {
  readonly #core: DeletionOptions['core'];
  readonly #destroyTimeoutMs: number;
  readonly #rounds: Rounds;

  constructor(options: DeletionOptions) {
    this.#core = options.core;
    this.#destroyTimeoutMs = options.destroyTimeoutMs ?? 30_000;
    this.#rounds = new Rounds({
      clock: options.core.clock,
      intervalMs: options.intervalMs ?? 60_000,
      name: 'deleting the keys that are due',
      round: (signal) => this.#round(signal),
      onBackgroundError: options.core.onBackgroundError,
    });
  }

  start(): void {
    this.#rounds.start();
  }

  stop(): Promise<void> {
    return this.#rounds.stop();
  }

  /** Resolves when a round has ended. Never rejects. */
  runNow(): Promise<void> {
    return this.#rounds.runNow();
  }

  async #round(signal: AbortSignal): Promise<void> {
    const seen = new Set<string>();
    for (;;) {
      // Keys that had to be left stay at the head of the list: ask for as many more, so that they hold up nobody.
      const limit = batchSize + seen.size;
      const due = await this.#core.catalog.listKeysToDelete(this.#core.clock.now(), limit);
      for (const key of due.filter(({ keyId }) => !seen.has(keyId))) {
        if (signal.aborted) return;
        seen.add(key.keyId);
        await this.#deleteAndReport(key);
      }
      if (due.length < limit) return;
    }
  }

  /** One key's failure is no reason to leave the others. */
  async #deleteAndReport(key: KeyRecord): Promise<void> {
    try {
      await this.#delete(key);
    } catch (error) {
      this.#core.onBackgroundError(error, `deleting key ${keyArn(this.#core.identity, key)}`);
    }
  }

  async #delete(key: KeyRecord): Promise<void> {
    const { catalog, clock, keyStores } = this.#core;
    const cluster = keyStores.connectedCluster(key.clusterId);
    if (cluster === undefined) return;
    // Cancelled, or scheduled anew, since it was listed.
    if (key.state !== 'Deleting' && !(await catalog.beginDeletion(key, key.keyId, clock.now()))) return;
    for (const material of await catalog.listMaterialsOfKey(key.keyId)) {
      await cluster.destroyKeyMaterial(material.materialId, clock.monotonicMs() + this.#destroyTimeoutMs);
    }
    await catalog.completeDeletion(key, key.keyId, clock.now());
  }
}
