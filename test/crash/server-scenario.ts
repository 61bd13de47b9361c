/** Servers on three members with the same keys, which are killed while they make, repair or destroy keys. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { MovedClock } from '../e2e/accounting.js';
import type { HoldfastClient } from '../e2e/client.js';
import type { RunningServer } from '../e2e/deployment.js';
import { witnessesOn } from '../e2e/token-witness.js';
import { decrypt } from '../faults/operations.js';
import type { FaultHsm } from '../native/fault-hsm.js';
import { type CrashPoint, withoutRepeatedWrites } from './crash-point.js';
import type { DiskShim } from './disk-shim.js';
import { everyMemberServes, type KeptDeployment } from './kept-deployment.js';
import type { CrashScenario } from './sweep.js';

const minuteMs = 60_000;
/** Nothing is under way if no call came for so long. */
const quietMs = 150;

/** A process that serves the deployment. */
export interface ServingProcess {
  readonly child: ChildProcess;
  client(): HoldfastClient;
}

export interface ServerScenarioOptions {
  readonly name: string;
  /** Changes the deployment before each act. */
  readonly prepare?: (deployment: KeptDeployment) => void;
  /** Starts the process. Default: `holdfast serve`. */
  readonly spawn?: (deployment: KeptDeployment) => Promise<ServingProcess>;
  /** Whether the process is killed at its writes to disk too. They are the marks then. */
  readonly writes?: true;
  /** What else must be true after another process has followed the killed one. @returns what is not */
  readonly check?: (deployment: KeptDeployment, client: HoldfastClient) => Promise<string[]>;
  /** The act, once all members serve. It ends when it is over, or the process has died. */
  readonly act: (deployment: KeptDeployment, client: HoldfastClient, child: ChildProcess) => Promise<void>;
}

export class ServerScenario implements CrashScenario {
  readonly name: string;
  readonly faults: readonly FaultHsm[];
  readonly disk?: DiskShim;
  readonly #kept: KeptDeployment;
  readonly #options: ServerScenarioOptions;

  constructor(kept: KeptDeployment, options: ServerScenarioOptions) {
    this.name = options.name;
    this.faults = kept.wrapped.members.map(({ fault }) => fault);
    if (options.writes === true) this.disk = kept.disk;
    this.#kept = kept;
    this.#options = options;
  }

  restore(): void {
    this.#kept.restore();
    this.#options.prepare?.(this.#kept);
  }

  async act(begin: () => void): Promise<boolean> {
    const { spawn = spawnServe, act } = this.#options;
    const server = await spawn(this.#kept);
    const { child } = server;
    const client = server.client();
    await everyMemberServes(client);
    await this.#quiet();
    begin();
    // A server that dies answers nothing.
    const acting = act(this.#kept, client, child).catch(() => undefined);
    await Promise.race([acting, endOf(child)]);
    client.close();
    await this.#quiet();
    const wasKilled = child.signalCode === 'SIGKILL';
    if (!wasKilled) child.kill('SIGKILL');
    await endOf(child);
    return wasKilled;
  }

  async recover(): Promise<string[]> {
    const problems = this.#accountProblems();
    // As if the half minute were over for which a killed server keeps others from its work.
    this.#kept.change('update leases set expires_ms = 0');
    const clock = new MovedClock();
    const running = await this.#kept.wrapped.deployment.start({ clock });
    try {
      problems.push(...(await this.#recoverOn(running, clock)));
    } finally {
      await running.stop();
    }
    return [...problems, ...this.#remainingProblems()];
  }

  choose(points: readonly CrashPoint[]): CrashPoint[] {
    return withoutRepeatedWrites(points);
  }

  /** After each change that another one of the same act follows; before a file appears, or goes. */
  marks(points: readonly CrashPoint[]): CrashPoint[] {
    if (this.disk !== undefined)
      return points.filter(({ functionName }) =>
        /^(link|unlink) (\.?holdfast|\.catalog\.snapshot\.\*\.partial$)/.test(functionName),
      );
    const changing = ['C_UnwrapKey', 'C_CreateObject', 'C_DestroyObject'];
    return points.filter(({ functionName, place }) => changing.includes(functionName) && place === 'after');
  }

  /** The deployment is shared, and disposed of by its owner. */
  dispose(): void {
    for (const fault of this.faults) fault.heal();
  }

  /** Resolves when no member has been called for a while. */
  async #quiet(): Promise<void> {
    const calls = (): number => this.faults.reduce((sum, fault) => sum + fault.returned(), 0);
    let before = -1;
    while (before !== calls()) {
      before = calls();
      await sleep(quietMs);
    }
  }

  /** What must be true at any instant. */
  #accountProblems(): string[] {
    const { accounting } = this.#kept.wrapped;
    const { keys, materials, intents } = accounting.readCatalog();
    const ofIntents = intents.filter(({ state }) => state !== 'destroyed').map(({ material_id: id }) => id ?? '');
    const accounted = new Set([...materials.map(({ material_id: id }) => id ?? ''), ...ofIntents]);
    const tokens = this.#kept.wrapped.onTokens();
    const copies = (id: string): number => tokens.filter((ids) => ids.includes(id)).length;
    const known = new Set(keys.map(({ key_id: id }) => id));
    return [
      ...tokens
        .flat()
        .filter((id) => !accounted.has(id))
        .map((id) => `nothing accounts for ${id}`),
      ...tokens.filter((ids) => new Set(ids).size !== ids.length).map((ids) => `twice on a token: ${ids.join(', ')}`),
      ...this.#livingMaterials()
        .filter((id) => copies(id) < 2)
        .map((id) => `${id} is on ${copies(id)} members`),
      ...[...accounting.acknowledged].filter((id) => !known.has(id)).map((id) => `key ${id} is lost`),
    ];
  }

  /** Ascending. */
  #livingMaterials(): string[] {
    const { keys } = this.#kept.wrapped.accounting.readCatalog();
    const living = keys.filter(({ state }) => state === 'Enabled');
    return living.map(({ current_material_id: id }) => id ?? '').sort();
  }

  async #recoverOn(running: RunningServer, clock: MovedClock): Promise<string[]> {
    const { server } = running;
    const client = running.client();
    await everyMemberServes(client);
    // Intents are abandoned after ten minutes, and their materials destroyed an hour later.
    for (const minutes of [11, 59, 2]) {
      clock.offsetMs += minutes * minuteMs;
      await server.intentRecovery.runNow();
    }
    await server.keyDeletion.runNow();
    const { clusterId } = this.#kept.wrapped.deployment.defaultCluster;
    await server.reconciler.reconcile(clusterId);
    // Compares, and proves every key on every member.
    const { members } = await server.reconciler.reconcile(clusterId);
    const wrong = members.filter(
      ({ compared, missing, unknownMaterialIds, duplicateMaterialIds, driftedMaterialIds }) =>
        !compared || missing + unknownMaterialIds.length + duplicateMaterialIds.length + driftedMaterialIds.length > 0,
    );
    await server.witnesses.runNow();
    await this.#kept.wrapped.accounting.expectAllKeysWork(client);
    const undecrypted = await this.#undecrypted(client);
    const others = (await this.#options.check?.(this.#kept, client)) ?? [];
    client.close();
    const unwitnessed = await this.#unwitnessed();
    return [
      ...wrong.map((member) => `after reconciliation: ${JSON.stringify(member)}`),
      ...undecrypted,
      ...others,
      ...unwitnessed,
    ];
  }

  async #undecrypted(client: HoldfastClient): Promise<string[]> {
    const { keys } = this.#kept.wrapped.accounting.readCatalog();
    const living = new Set(keys.filter(({ state }) => state === 'Enabled').map(({ key_id: id }) => id));
    const problems: string[] = [];
    for (const { keyId, plaintext, ciphertext } of this.#kept.encrypted) {
      if (!living.has(keyId)) continue;
      const opened = await decrypt(client, ciphertext).catch(String);
      if (!Buffer.from(opened as Uint8Array).equals(plaintext))
        problems.push(`${String(plaintext)}: ${String(opened)}`);
    }
    return problems;
  }

  /** Every member has one witness, all the same. */
  async #unwitnessed(): Promise<string[]> {
    const { members, deployment } = this.#kept.wrapped;
    const found = await Promise.all(members.map(({ hsm }) => witnessesOn(hsm, deployment.defaultCluster)));
    const epochs = found.map((witnesses) => witnesses.map(({ epoch }) => epoch));
    const isWell = epochs.every((own) => own.length === 1 && own[0] === epochs[0]?.[0]);
    return isWell ? [] : [`the members have witnesses of epochs ${JSON.stringify(epochs)}`];
  }

  /** What must be true after the clean-up and reconciliation. */
  #remainingProblems(): string[] {
    const { keys, intents } = this.#kept.wrapped.accounting.readCatalog();
    const wanted = this.#livingMaterials().join(', ');
    return [
      ...this.#kept.wrapped
        .onTokens()
        .map((ids) => ids.join(', '))
        .filter((ids) => ids !== wanted)
        .map((ids) => `a member has ${ids} instead of ${wanted}`),
      ...intents.filter(({ state }) => state !== 'destroyed').map((row) => JSON.stringify(row)),
      ...keys.filter(({ state }) => state === 'Deleting').map(({ key_id: id }) => `key ${id} is still Deleting`),
    ];
  }
}

function spawnServe({ wrapped, disk }: KeptDeployment): Promise<ServingProcess> {
  return wrapped.deployment.spawn(disk.environment);
}

async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}
