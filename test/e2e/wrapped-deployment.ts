/** A deployment whose default key store is on several members with the same keys, and the accounts of their tokens. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect } from 'vitest';
import { parse, stringify } from 'yaml';
import { TokenReader } from '../token-reader.js';
import { newMember, newRecoveryMember, runCeremony, type SoftHsmMember } from '../wrapped-cluster.js';
import { Accounting } from './accounting.js';
import type { Message } from './client.js';
import { Deployment } from './deployment.js';

const hourMs = 3_600_000;
/** The ids of cluster keys begin with `holdfast/`. */
const clusterKeyStart = Buffer.from('holdfast/').toString('hex');

export class WrappedDeployment {
  readonly accounting: Accounting;
  readonly #readers: TokenReader[];

  private constructor(
    readonly deployment: Deployment,
    readonly members: SoftHsmMember[],
  ) {
    const { tokenLabel, pin } = deployment.defaultCluster;
    this.accounting = new Accounting(deployment);
    this.#readers = members.map(({ hsm }) => new TokenReader(hsm, tokenLabel, pin));
  }

  /** Members `a`, `b`, …, each behind the fault-injecting module, after a ceremony. */
  static async make(memberCount: number, limits: Message = {}): Promise<WrappedDeployment> {
    let members: SoftHsmMember[] = [];
    const deployment = new Deployment({
      customClusters: [],
      // The token that every deployment makes stays unused.
      configure(configuration, of) {
        const [cluster] = configuration['clusters'] as [Message];
        members = Array.from({ length: memberCount }, (_, index) => newMember('abcdefgh'.charAt(index), of));
        configuration['modules'] = modulesOf(members);
        const tokens = members.map((member) => configured(member, of.tokenLabel));
        Object.assign(cluster, { replication: 'wrapped', minimumMembers: Math.min(2, memberCount), members: tokens });
        configuration['limits'] = { reconcileCopiesPerSecond: 1_000, ...limits };
      },
    });
    await runCeremony(members, 1, deployment.defaultCluster);
    return new WrappedDeployment(deployment, members);
  }

  member(index: number): SoftHsmMember {
    const member = this.members[index];
    if (member === undefined) throw new Error(`There is no member ${index}.`);
    return member;
  }

  /** One more member, in a ceremony over all, and in the configuration file. */
  async addMember(): Promise<void> {
    const { tokenLabel, pin } = this.deployment.defaultCluster;
    const member = newMember('abcdefgh'.charAt(this.members.length), this.deployment.defaultCluster);
    this.members.push(member);
    this.#readers.push(new TokenReader(member.hsm, tokenLabel, pin));
    await runCeremony(this.members, 2, this.deployment.defaultCluster);
    this.configure(({ modules, clusters: [cluster] }) => {
      Object.assign(modules, modulesOf([member]));
      cluster?.members.push(configured(member, tokenLabel));
    });
  }

  /** Puts a new, empty token in a member's place. The old one is gone. */
  replaceMember(index: number): void {
    const { tokenLabel, pin } = this.deployment.defaultCluster;
    const lost = this.member(index);
    lost.hsm.dispose();
    const member = newMember(lost.name, this.deployment.defaultCluster);
    this.members[index] = member;
    this.#readers[index] = new TokenReader(member.hsm, tokenLabel, pin);
    this.configure(({ modules }) => Object.assign(modules, modulesOf([member])));
  }

  /** A recovery member, with a PIN of its own. It takes part in the next ceremony. */
  addRecoveryMember(name: string, pin: string): SoftHsmMember {
    const member = newRecoveryMember(name, pin, this.deployment.defaultCluster);
    this.configure(({ modules, clusters: [cluster] }) => {
      Object.assign(modules, modulesOf([member]));
      Object.assign(cluster ?? {}, { recoveryMembers: [configured(member, name)] });
    });
    return member;
  }

  /** Changes the configuration file. */
  configure(change: (file: { modules: Message; clusters: { members: Message[] }[]; limits: Message }) => void): void {
    const path = this.deployment.configurationPath;
    const file = parse(readFileSync(path, 'utf8')) as Parameters<typeof change>[0];
    change(file);
    writeFileSync(path, stringify(file, { aliasDuplicateObjects: false }));
  }

  /** The ids of the key materials on each member's token. */
  onTokens(): string[][] {
    return this.#readers.map((reader) =>
      reader
        .secretKeys()
        .filter(({ CKA_ID, CKA_LABEL }) => !CKA_ID.startsWith(clusterKeyStart) && (CKA_ID !== '' || CKA_LABEL !== ''))
        .map(({ CKA_ID }) => CKA_ID)
        .sort(),
    );
  }

  /** Takes a member's keys away, as if it were a new token with the wrapping keys. */
  emptyMember(index: number): void {
    for (const materialId of this.onTokens()[index] ?? []) this.#readers[index]?.destroy(materialId);
  }

  /** Takes one key away from every member. */
  destroyEverywhere(materialId: string): void {
    for (const reader of this.#readers) reader.destroy(materialId);
  }

  /** Every object has one row that accounts for it, and every key is on at least two members, once on each. */
  expectAccounted(): void {
    const { keys, intents } = this.accounting.readCatalog();
    const ofKeys = keys.map(({ current_material_id: id }) => id ?? '');
    const ofIntents = intents.filter(({ state }) => state !== 'destroyed').map(({ material_id: id }) => id ?? '');
    const tokens = this.onTokens();
    for (const ids of tokens) {
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids.filter((id) => !ofKeys.includes(id) && !ofIntents.includes(id))).toEqual([]);
    }
    const copies = (id: string) => tokens.filter((ids) => ids.includes(id)).length;
    expect(ofKeys.filter((id) => copies(id) < 2)).toEqual([]);
    const known = new Set(keys.map(({ key_id: id }) => id));
    expect([...this.accounting.acknowledged].filter((keyId) => !known.has(keyId))).toEqual([]);
  }

  /** Every member has the material of every key, and nothing else. */
  expectAllOnAll(): void {
    const ofKeys = this.accounting.readCatalog().keys.map(({ current_material_id: id }) => id ?? '');
    expect(this.onTokens()).toEqual(this.members.map(() => ofKeys.sort()));
  }

  /** Only a key that has settled is repaired: after a minute and the time of a request. */
  ageKeys(): void {
    const database = new Database(join(this.deployment.folder, 'catalog.sqlite'));
    database.prepare('update materials set creation_date = creation_date - ?').run(hourMs);
    database.close();
  }

  dispose(): void {
    for (const { fault } of this.members) fault.heal();
    this.deployment.dispose();
    for (const { hsm } of this.members) hsm.dispose();
  }
}

/** A member as the configuration names it. */
export function configured({ name }: SoftHsmMember, tokenLabel: string): Message {
  return { name, module: name, tokenLabel, lanes: 2 };
}

/** The modules of members. */
export function modulesOf(members: readonly SoftHsmMember[]): Message {
  const modules = members.map(({ name, fault: { module } }) => [
    name,
    { path: module.libraryPath, environment: module.environment, privateInstance: true },
  ]);
  return Object.fromEntries(modules) as Message;
}
