import { type ActAudit, ActUnauditedError } from '../audit/act-audit.js';
import { HoldfastError } from '../errors.js';
import { keyArn } from '../keys/arn.js';
import { type HeldLease, type LeaseTools, underLease } from '../coordination/held-lease.js';
import { LeaseLostError } from '../coordination/leases.js';
import type { KeyCatalog } from '../keys/catalog.js';
import type { KeysCore } from '../keys/core.js';
import type { KeyRecord } from '../keys/key.js';
import { PeriodicJob } from './periodic-job.js';
import type { TimeWatch } from './time-watch.js';
import type { DestructionWitness } from './witness-refresh.js';

/** The dependencies of deletion, and its times in milliseconds. */
export interface DeletionOptions {
  core: Pick<KeysCore, 'catalog' | 'keyStores' | 'identity' | 'clock' | 'onBackgroundError'>;
  audit: ActAudit;
  timeWatch: Pick<TimeWatch, 'verifiedNow'>;
  witness: DestructionWitness;
  leases: LeaseTools;
  /** Default one minute. */
  intervalMs?: number | undefined;
  /** How long one material's destruction on its cluster may take. Default 30 s. */
  destroyTimeoutMs?: number | undefined;
}

const batchSize = 100;

/**
 * Destroys the material of keys whose deletion date has come, on their clusters, and leaves tombstones.
 *
 * `Deleting` is entered by compare-and-set before the first call to a token and cannot be cancelled, so no request can
 * use or restore a key whose material is half destroyed. The next round continues what a crash left in `Deleting`. A
 * key whose cluster is not connected stays pending deletion until it is.
 *
 * One process at a time does this, under a lease. A deletion begins only after the audit log has its record, and only by a verified time.
 */
export class KeyDeletion {
  readonly #core: DeletionOptions['core'];
  readonly #audit: ActAudit;
  readonly #timeWatch: DeletionOptions['timeWatch'];
  readonly #witness: DestructionWitness;
  readonly #destroyTimeoutMs: number;
  readonly #rounds: PeriodicJob;

  constructor(options: DeletionOptions) {
    this.#core = options.core;
    this.#audit = options.audit;
    this.#timeWatch = options.timeWatch;
    this.#witness = options.witness;
    this.#destroyTimeoutMs = options.destroyTimeoutMs ?? 30_000;
    this.#rounds = new PeriodicJob({
      clock: options.core.clock,
      intervalMs: options.intervalMs ?? 60_000,
      name: 'deleting the keys that are due',
      round: async (signal) => {
        await underLease(options.leases, 'key-deletion', (held) => this.#round(signal, held));
      },
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

  async #round(signal: AbortSignal, held: HeldLease): Promise<void> {
    const seen = new Set<string>();
    const now = await this.#timeWatch.verifiedNow();
    if (now === undefined) return;
    for (;;) {
      // Skipped keys stay at the head of the list: ask for as many more, so they do not delay others.
      const limit = batchSize + seen.size;
      const due = await this.#core.catalog.listKeysToDelete(now, limit);
      for (const key of due.filter(({ keyId }) => !seen.has(keyId))) {
        if (signal.aborted) return;
        seen.add(key.keyId);
        await this.#deleteAndReport(key, held);
      }
      if (due.length < limit) return;
    }
  }

  /** One key's failure does not stop the others; an audit log that cannot be written does, and so does a lost lease. */
  async #deleteAndReport(key: KeyRecord, held: HeldLease): Promise<void> {
    try {
      await this.#delete(key, held);
    } catch (error) {
      if (error instanceof ActUnauditedError || error instanceof LeaseLostError) throw error;
      this.#core.onBackgroundError(error, `deleting key ${keyArn(this.#core.identity, key)}`);
    }
  }

  async #delete(key: KeyRecord, held: HeldLease): Promise<void> {
    const { catalog, clock, keyStores, identity } = this.#core;
    const fenced = catalog.underLease(held.lease);
    const cluster = keyStores.connectedCluster(key.clusterId);
    if (cluster === undefined || !(await this.#isStillDue(key))) return;
    const materials = await catalog.listMaterialsOfKey(key.keyId);
    const act = {
      operation: 'DeleteKey' as const,
      resources: [keyArn(identity, key)],
      parameters: {
        deletion_date: key.deletionDate?.toISOString() ?? null,
        cluster_id: key.clusterId,
        material_ids: materials.map(({ materialId }) => materialId),
      },
    };
    await this.#audit.perform(act, async () => {
      await this.#begin(key, fenced);
      // An older copy of the catalog has the key in use.
      await this.#witness.beforeDestruction(cluster);
      for (const { materialId } of materials) {
        // No HSM checks a fence.
        await held.confirm();
        await cluster.perform(
          'destroyKeyMaterial',
          { materialId },
          { deadlineMs: clock.monotonicMs() + this.#destroyTimeoutMs },
        );
      }
    });
    // Last, so a key whose destruction could not be recorded is retried until it is.
    await fenced.completeDeletion(key, key.keyId, clock.now());
  }

  /** It may have been cancelled or rescheduled since it was listed. */
  async #isStillDue(listed: KeyRecord): Promise<boolean> {
    const key = await this.#core.catalog.findKey(listed, listed.keyId);
    return key?.state === listed.state && key.deletionDate?.getTime() === listed.deletionDate?.getTime();
  }

  /** Checks the time again, because the clock may have jumped since the round began. */
  async #begin(key: KeyRecord, fenced: Pick<KeyCatalog, 'beginDeletion'>): Promise<void> {
    const now = await this.#timeWatch.verifiedNow();
    if (now !== undefined && key.state === 'Deleting') return;
    if (now !== undefined && (await fenced.beginDeletion(key, key.keyId, now))) return;
    throw new HoldfastError('KMS_INVALID_STATE', 'The deletion was cancelled, or is held, since the round began.', {
      retryable: false,
    });
  }
}
