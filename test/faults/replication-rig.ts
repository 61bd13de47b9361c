/** A server on three members, one of which has a fault in a call that makes or copies a key. */
import { randomBytes } from 'node:crypto';
import { Accounting, MovedClock } from '../e2e/accounting.js';
import type { HoldfastClient, Message } from '../e2e/client.js';
import { TokenReader } from '../token-reader.js';
import { hsmCodes } from './matrix.js';
import { decrypt, expectSame, reasonOf } from './operations.js';
import { memberName, ReplicatedServer, until } from './replicated-server.js';
import { type CopyCell, copyCellName } from './replication-faults.js';

const operationTimeoutMs = 500;
/** An answer comes within ten times the deadline of one attempt. A reconciliation gives an inventory 30 s. */
const boundsMs = { CreateKey: 10 * operationTimeoutMs, repair: 10 * operationTimeoutMs + 30_000 };
const minuteMs = 60_000;
/** The index of the member that has the fault: the first makes a new key, and is the first source of a repair. */
const indexes = {
  CreateKey: { source: 0, target: 1 },
  repair: { source: 0, target: 2 },
} as const;

export class ReplicationRig {
  readonly #clock: MovedClock;
  readonly #accounting: Accounting;

  private constructor(
    readonly server: ReplicatedServer,
    clock: MovedClock,
  ) {
    this.#clock = clock;
    this.#accounting = new Accounting(server.deployment);
  }

  static async open(): Promise<ReplicationRig> {
    const clock = new MovedClock();
    const limits = { operationTimeoutMs, requestTimeoutMs: 4_000 };
    const server = await ReplicatedServer.start({ memberCount: 3, keyCount: 2, lanes: 2, ...limits, clock });
    // Only a key that is older than a minute is repaired.
    clock.offsetMs = 10 * minuteMs;
    return new ReplicationRig(server, clock);
  }

  /** Runs the act while the member has the fault. @returns what went wrong */
  async run(cell: CopyCell): Promise<string[]> {
    const problems: string[] = [];
    const { fault } = this.server.member(indexes[cell.act][cell.role]);
    if (cell.act === 'repair') this.#loseKey();
    let isOver = false;
    const callers = Promise.all([0, 1].map(() => this.#callUntil(() => isOver)));
    cell.fault.begin(fault, cell.functionName, operationTimeoutMs, this.#lostMaterialId());
    const startedMs = performance.now();
    const act = cell.act === 'CreateKey' ? this.#createKey() : this.#reconcile();
    problems.push(...(await act));
    const tookMs = performance.now() - startedMs;
    isOver = true;
    problems.push(...(await callers).flat());
    fault.heal();
    if (tookMs > boundsMs[cell.act]) problems.push(`took ${Math.round(tookMs)} ms`);
    await this.server.everyMemberServes();
    if (cell.act === 'repair') await this.#repaired();
    return problems.map((problem) => `${copyCellName(cell)}: ${problem}`);
  }

  /** Once no member has a fault: what is left of interrupted acts goes, and every key is on every member. */
  async settle(): Promise<string[]> {
    const { reconciler, intentRecovery } = this.server.running;
    for (const minutes of [11, 59, 2]) {
      this.#clock.offsetMs += minutes * minuteMs;
      await intentRecovery.runNow();
    }
    const { clusterId } = this.server.deployment.defaultCluster;
    await reconciler.reconcile(clusterId);
    const { members } = await reconciler.reconcile(clusterId);
    const wrong = members.filter(
      ({ compared, missing, unknownMaterialIds, duplicateMaterialIds, driftedMaterialIds }) =>
        !compared || missing + unknownMaterialIds.length + duplicateMaterialIds.length + driftedMaterialIds.length > 0,
    );
    await this.#accounting.expectAllKeysWork(this.server.client());
    const wanted = this.#materialIds().sort().join();
    const tokens = this.server.members.map((_, index) => this.#onToken(index).sort().join());
    return [
      ...wrong.map((member) => JSON.stringify(member)),
      ...tokens.filter((ids) => ids !== wanted).map((ids) => `a member has ${ids}, not ${wanted}`),
    ];
  }

  dispose(): Promise<void> {
    return this.server.dispose();
  }

  async #createKey(): Promise<string[]> {
    try {
      const created = (await this.server.client().call('CreateKey', {}))['key_metadata'] as Message;
      const { members } = created['custody'] as { members: string[] };
      const keyId = created['key_id'];
      const { keys } = this.#accounting.readCatalog();
      const materialId = keys.find(({ key_id: id }) => id === keyId)?.['current_material_id'] ?? 'none';
      const holders = [0, 1, 2].filter((index) => this.#onToken(index).includes(materialId)).map(memberName);
      if (members.length >= 2 && members.every((name) => holders.includes(name))) return [];
      return [`answered ${members.join()}, and is on ${holders.join()}`];
    } catch (error) {
      const reason = reasonOf(error);
      return hsmCodes.has(reason) ? [] : [`CreateKey answered ${reason}`];
    }
  }

  async #reconcile(): Promise<string[]> {
    const { clusterId } = this.server.deployment.defaultCluster;
    // It may fail: then the next one does the work.
    await this.server.running.reconciler.reconcile(clusterId).catch(() => undefined);
    return [];
  }

  /** Without the fault a reconciliation gives the member its key: the first, unless it comes before a breaker closes. */
  async #repaired(): Promise<void> {
    await until('the key is repaired', async () => {
      await this.#reconcile();
      return this.#onToken(2).includes(this.#lostMaterialId());
    });
  }

  /** Other callers, who use a key that all members have. */
  async #callUntil(isOver: () => boolean): Promise<string[]> {
    const client: HoldfastClient = this.server.client();
    const [keyId] = this.server.keyIds;
    while (!isOver()) {
      const plaintext = randomBytes(16);
      try {
        const { ciphertext_blob: ciphertext } = await client.call('Encrypt', { key_id: keyId, plaintext });
        expectSame('What was encrypted', await decrypt(client, ciphertext), plaintext);
      } catch (error) {
        return [`another caller saw ${error instanceof Error ? error.message : String(error)}`];
      }
    }
    return [];
  }

  /** Takes the second key from the last member, as anyone with the PIN can. */
  #loseKey(): void {
    this.#reader(2).destroy(this.#lostMaterialId());
  }

  #lostMaterialId(): string {
    const { keys } = this.#accounting.readCatalog();
    return keys.find(({ key_id: id }) => id === this.server.keyIds[1])?.['current_material_id'] ?? '';
  }

  #materialIds(): string[] {
    return this.#accounting.readCatalog().keys.map(({ current_material_id: id }) => id ?? '');
  }

  /** Ids of key materials; those of cluster keys are longer. */
  #onToken(index: number): string[] {
    return this.#reader(index)
      .secretKeys()
      .map(({ CKA_ID }) => CKA_ID)
      .filter((id) => /^[0-9a-f]{64}$/.test(id));
  }

  #reader(index: number): TokenReader {
    const { tokenLabel, pin } = this.server.deployment.defaultCluster;
    return new TokenReader(this.server.member(index).hsm, tokenLabel, pin);
  }
}
