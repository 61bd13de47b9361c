import { type ActAudit, ActUnauditedError } from '../audit/act-audit.js';
import type { HsmCluster, MemberInventory } from '../clusters/hsm-cluster.js';
import { type HeldLease, type LeaseTools, underLease } from '../coordination/held-lease.js';
import { LeaseLostError } from '../coordination/leases.js';
import type { KeyCatalog } from '../keys/catalog.js';
import type { KeysCore } from '../keys/core.js';
import type { IntentRecord } from '../keys/key.js';
import { PeriodicJob } from './periodic-job.js';
import type { TimeWatch } from './time-watch.js';
import type { DestructionWitness } from './witness-refresh.js';

/** The dependencies of recovery, and its times in milliseconds. */
export interface IntentRecoveryOptions {
  core: Pick<KeysCore, 'catalog' | 'keyStores' | 'clock' | 'onBackgroundError'>;
  audit: ActAudit;
  timeWatch: Pick<TimeWatch, 'verifiedNow'>;
  witness: DestructionWitness;
  leases: LeaseTools;
  /** Called after each comparison, for each member, with the unaccounted materials, even if there are none. They are never touched. */
  onUnaccountedMaterial: (found: UnaccountedMaterial) => void;
  /** Default one minute. */
  intervalMs?: number | undefined;
  /** An intent that is open for longer belongs to an interrupted creation. Default 10 min, far beyond any create's deadline. */
  openForAtMostMs?: number | undefined;
  /** How long an abandoned intent's material is left alone: a late call may still be making it. Default 1 h. */
  quarantineMs?: number | undefined;
  /** How long one destruction or one inventory may take. Default 30 s. */
  callTimeoutMs?: number | undefined;
}

/**
 * Secret keys on one member that no intent and no material of its cluster explains: the catalog is the wrong one or
 * old one, or another program uses the token.
 */
export interface UnaccountedMaterial {
  clusterId: string;
  memberName: string;
  /** CKA_IDs in hex. Empty if every key is accounted for. */
  materialIds: string[];
}

const batchSize = 100;

/**
 * Accounts for the remains of interrupted creations (invariant 2). It destroys only material whose intent is abandoned and out of
 * quarantine, or which a tombstone records as destroyed; the material of a key is never touched.
 */
export class IntentRecovery {
  readonly #core: IntentRecoveryOptions['core'];
  readonly #audit: ActAudit;
  readonly #timeWatch: IntentRecoveryOptions['timeWatch'];
  readonly #witness: DestructionWitness;
  readonly #leases: LeaseTools;
  readonly #onUnaccountedMaterial: IntentRecoveryOptions['onUnaccountedMaterial'];
  readonly #openForAtMostMs: number;
  readonly #quarantineMs: number;
  readonly #callTimeoutMs: number;
  readonly #rounds: PeriodicJob;
  /** How many keys the last inventory could not account for, by cluster and member. */
  readonly #unaccounted = new Map<string, number>();
  /** Clusters to compare again in the next round, because another process was working on them. */
  readonly #inventoriesDue = new Set<string>();

  constructor(options: IntentRecoveryOptions) {
    this.#core = options.core;
    this.#audit = options.audit;
    this.#timeWatch = options.timeWatch;
    this.#witness = options.witness;
    this.#leases = options.leases;
    this.#onUnaccountedMaterial = options.onUnaccountedMaterial;
    this.#openForAtMostMs = options.openForAtMostMs ?? 10 * 60_000;
    this.#quarantineMs = options.quarantineMs ?? 60 * 60_000;
    this.#callTimeoutMs = options.callTimeoutMs ?? 30_000;
    this.#rounds = new PeriodicJob({
      clock: options.core.clock,
      intervalMs: options.intervalMs ?? 60_000,
      name: 'recovering the intents of interrupted creates',
      round: async (signal) => {
        for (const clusterId of [...this.#inventoriesDue]) {
          if (signal.aborted) return;
          await this.checkInventory(clusterId);
        }
        await underLease(this.#leases, 'intent-recovery', (held) => this.#round(signal, held));
      },
      onBackgroundError: options.core.onBackgroundError,
    });
  }

  /** Keys on a member's token that the catalog did not know at the last comparison. */
  unaccountedMaterials(clusterId: string, memberName: string): number {
    return this.#unaccounted.get(`${clusterId}/${memberName}`) ?? 0;
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

  /**
   * Must be called whenever a cluster has connected: destroys material that reappeared after its destruction (an absent
   * member, a hanging call), and reports unexplained keys. Never rejects.
   */
  async checkInventory(clusterId: string): Promise<void> {
    const cluster = this.#core.keyStores.connectedCluster(clusterId);
    if (cluster === undefined) return;
    try {
      await this.compare(cluster, { destroyReappeared: true });
    } catch (error) {
      this.#core.onBackgroundError(error, `comparing the inventory of cluster ${clusterId} with the catalog`);
    }
  }

  /** Compares as `checkInventory` does. Rejects when an inventory or the catalog cannot be read. */
  async compare(cluster: HsmCluster, { destroyReappeared }: { destroyReappeared: boolean }): Promise<Inventory> {
    const inventory = await this.#takeInventory(cluster);
    this.#reportUnaccounted(cluster, inventory);
    const hasReappeared = [...inventory.accounts.values()].includes('destroyed');
    const isDone = !hasReappeared || (destroyReappeared && (await this.#destroyReappeared(cluster)));
    if (isDone) this.#inventoriesDue.delete(cluster.clusterId);
    else this.#inventoriesDue.add(cluster.clusterId);
    return inventory;
  }

  async #takeInventory(cluster: HsmCluster): Promise<Inventory> {
    const members = await cluster.perform('listMaterialIds', {}, { deadlineMs: this.#deadlineMs() });
    return { members, accounts: await this.#accountFor(cluster, members) };
  }

  /**
   * Runs in one process at a time: the next one finds nothing left. The running one may not see a member that this one
   * sees.
   * @returns false when another process is doing it
   */
  #destroyReappeared(cluster: HsmCluster): Promise<boolean> {
    return underLease(this.#leases, `inventory/${cluster.clusterId}`, async (held) => {
      const { accounts } = await this.#takeInventory(cluster);
      await this.#destroyAgain(cluster, accounts, held);
    });
  }

  async #round(signal: AbortSignal, held: HeldLease): Promise<void> {
    const { catalog } = this.#core;
    const fenced = catalog.underLease(held.lease);
    const now = await this.#timeWatch.verifiedNow();
    if (now === undefined) return;
    await this.#abandonOld(now, fenced);
    const abandonedBefore = new Date(now.getTime() - this.#quarantineMs);
    const seen = new Set<string>();
    for (;;) {
      // Intents of unconnected clusters stay at the head of the list; they must not delay others.
      const limit = batchSize + seen.size;
      const intents = await catalog.listAbandonedIntents(abandonedBefore, limit);
      for (const intent of intents.filter(({ materialId }) => !seen.has(materialId))) {
        if (signal.aborted) return;
        seen.add(intent.materialId);
        await this.#destroyAbandoned(intent, held, fenced);
      }
      if (intents.length < limit) return;
    }
  }

  async #abandonOld(now: Date, fenced: Pick<KeyCatalog, 'abandonIntentsOpenedBefore'>): Promise<void> {
    const openedBefore = new Date(now.getTime() - this.#openForAtMostMs);
    const count = await fenced.abandonIntentsOpenedBefore(openedBefore, now);
    const parameters = { count, opened_before: openedBefore.toISOString() };
    if (count > 0) await this.#audit.note({ operation: 'AbandonIntents', resources: [], parameters });
  }

  async #destroyAbandoned(
    intent: IntentRecord,
    held: HeldLease,
    fenced: Pick<KeyCatalog, 'markIntentDestroyed'>,
  ): Promise<void> {
    const cluster = this.#core.keyStores.connectedCluster(intent.clusterId);
    if (cluster === undefined) return;
    try {
      if ((await this.#core.catalog.findMaterial(intent.materialId)) !== undefined) {
        throw new Error('The catalog has a key with the material of an abandoned intent. Nothing was destroyed.');
      }
      await this.#destroy('DestroyAbandonedKeyMaterial', cluster, intent.materialId, held);
      await fenced.markIntentDestroyed(intent.materialId);
    } catch (error) {
      if (endsTheRound(error)) throw error;
      this.#core.onBackgroundError(error, `destroying the key material ${intent.materialId} of an abandoned intent`);
    }
  }

  async #accountFor(cluster: HsmCluster, members: readonly MemberInventory[]): Promise<Map<string, Account>> {
    const accounts = new Map<string, Account>();
    for (const materialId of new Set(members.flatMap((member) => member.materialIds))) {
      accounts.set(materialId, await this.#accountOf(cluster.clusterId, materialId));
    }
    return accounts;
  }

  /** Ignores rows of another cluster: their work was done elsewhere. */
  async #accountOf(clusterId: string, materialId: string): Promise<Account> {
    // The intent first: a create that commits between the two look-ups turns it into a material, never the reverse.
    const intent = await this.#core.catalog.findIntent(materialId);
    if (intent?.clusterId === clusterId) return intent.state === 'destroyed' ? 'destroyed' : 'kept';
    const material = await this.#core.catalog.findMaterial(materialId);
    if (material?.clusterId === clusterId) return material.destroyedDate === null ? 'kept' : 'destroyed';
    return 'unaccounted';
  }

  async #destroyAgain(cluster: HsmCluster, accounts: ReadonlyMap<string, Account>, held: HeldLease): Promise<void> {
    for (const [materialId, account] of accounts) {
      if (account !== 'destroyed') continue;
      try {
        await this.#destroy('DestroyReappearedKeyMaterial', cluster, materialId, held);
      } catch (error) {
        if (endsTheRound(error)) throw error;
        this.#core.onBackgroundError(error, `destroying the key material ${materialId}, which turned up again`);
      }
    }
  }

  #destroy(
    operation: 'DestroyAbandonedKeyMaterial' | 'DestroyReappearedKeyMaterial',
    cluster: HsmCluster,
    materialId: string,
    held: HeldLease,
  ): Promise<void> {
    const parameters = { cluster_id: cluster.clusterId, material_ids: [materialId] };
    return this.#audit.perform({ operation, resources: [], parameters }, async () => {
      await this.#witness.beforeDestruction(cluster);
      // No HSM checks a fence.
      await held.confirm();
      await cluster.perform('destroyKeyMaterial', { materialId }, { deadlineMs: this.#deadlineMs() });
    });
  }

  #reportUnaccounted(cluster: HsmCluster, { members, accounts }: Inventory): void {
    for (const { memberName, materialIds } of members) {
      const unaccounted = materialIds.filter((materialId) => accounts.get(materialId) === 'unaccounted');
      this.#unaccounted.set(`${cluster.clusterId}/${memberName}`, unaccounted.length);
      this.#onUnaccountedMaterial({ clusterId: cluster.clusterId, memberName, materialIds: unaccounted });
    }
  }

  #deadlineMs(): number {
    return this.#core.clock.monotonicMs() + this.#callTimeoutMs;
  }
}

/** The problem that affects the whole round. */
function endsTheRound(error: unknown): boolean {
  return error instanceof ActUnauditedError || error instanceof LeaseLostError;
}

/** The catalog's view of a material that a token holds. `kept`: a key's, or that of an intent that is not destroyed yet. */
export type Account = 'kept' | 'destroyed' | 'unaccounted';

/** The materials of a cluster's members, and the catalog's view of them. */
export interface Inventory {
  members: readonly MemberInventory[];
  accounts: ReadonlyMap<string, Account>;
}
