/** A deployment with two wrapped clusters of two members each: the default key store's, and that of a custom key store. */
import { existsSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { newClusterId } from '../../src/config/new-id.js';
import { holdfast, type Outcome } from '../cli/session.js';
import { TokenReader } from '../token-reader.js';
import { newMember, runCeremony, type SoftHsmMember } from '../wrapped-cluster.js';
import type { HoldfastClient, Message } from './client.js';
import { type ClusterOfTest, connectedKeyStore, randomPin, type RunningServer } from './deployment.js';
import { configured, modulesOf, WrappedDeployment } from './wrapped-deployment.js';

/** The ids of cluster keys begin with `holdfast/`. */
const clusterKeyStart = Buffer.from('holdfast/').toString('hex');

export class TwoClusters {
  storeId = '';

  private constructor(
    readonly wrapped: WrappedDeployment,
    /** The cluster of the custom key store. */
    readonly second: ClusterOfTest,
    readonly members: readonly SoftHsmMember[],
  ) {}

  static async make(): Promise<TwoClusters> {
    const wrapped = await WrappedDeployment.make(2);
    const second = { clusterId: newClusterId(), tokenLabel: 'second', pin: randomPin() };
    const members = ['x', 'y'].map((name) => newMember(name, second));
    await runCeremony(members, 1, second);
    const two = new TwoClusters(wrapped, second, members);
    wrapped.configure((file) => {
      Object.assign(file.modules, modulesOf(members));
      const tokens = members.map((member) => configured(member, second.tokenLabel));
      const changes = { id: second.clusterId, name: second.tokenLabel, members: tokens };
      const first = file.clusters[0];
      if (first !== undefined) file.clusters.push({ ...first, ...changes });
    });
    return two;
  }

  get catalogPath(): string {
    return join(this.wrapped.deployment.folder, 'catalog.sqlite');
  }

  /** Works on a server whose key stores are connected; the custom one is created at the first time. */
  async serving<T>(work: (client: HoldfastClient, server: RunningServer) => Promise<T>): Promise<T> {
    const { deployment } = this.wrapped;
    const server = await deployment.start();
    try {
      const client = server.client();
      await server.defaultKeyStoreConnected(client);
      if (this.storeId === '') this.storeId = await connectedKeyStore(client, deployment, this.second);
      return await work(client, server);
    } finally {
      await server.stop();
    }
  }

  /** Keys in both clusters. @returns the ids of those in each */
  async makeKeys(client: HoldfastClient, inFirst: number, inSecond: number): Promise<[string[], string[]]> {
    const make = async (count: number, request: Message): Promise<string[]> => {
      const ids: string[] = [];
      for (let made = 0; made < count; made += 1) {
        const { key_metadata: metadata } = await client.call('CreateKey', request);
        ids.push((metadata as Message)['key_id'] as string);
      }
      return ids;
    };
    const inStore = { origin: 'ORIGIN_AWS_CLOUDHSM', custom_key_store_id: this.storeId };
    return [await make(inFirst, {}), await make(inSecond, inStore)];
  }

  /** Makes a backup with the service. @returns the path of the archive */
  async backUp(): Promise<string> {
    const { deployment } = this.wrapped;
    const before = new Set(readdirSync(deployment.backupFolder));
    const made = await holdfast(['backup', 'create', '--server', `unix:${deployment.socketPath}`]);
    const [name] = readdirSync(deployment.backupFolder).filter((file) => !before.has(file));
    // One that lacks keys is an archive too.
    if (name === undefined) throw new Error(made.stderr);
    return join(deployment.backupFolder, name);
  }

  loseCatalog(): void {
    for (const end of ['', '-wal', '-shm']) {
      const path = this.catalogPath + end;
      if (existsSync(path)) renameSync(path, `${this.catalogPath}.lost${end}`);
    }
  }

  /** Takes the keys of callers away from every token of both clusters. */
  emptyMembers(): void {
    for (const index of [0, 1]) this.wrapped.emptyMember(index);
    this.onSecond().forEach((ids, index) => ids.forEach((id) => this.#reader(index).destroy(id)));
  }

  /** The ids of the key materials on each token of the second cluster. */
  onSecond(): string[][] {
    return this.members.map((_, index) =>
      this.#reader(index)
        .secretKeys()
        .map(({ CKA_ID }) => CKA_ID)
        .filter((id) => !id.startsWith(clusterKeyStart))
        .sort(),
    );
  }

  async restore(archive: string, ...words: string[]): Promise<{ outcome: Outcome; printed: Message }> {
    const line = ['backup', 'restore', archive, ...words, '--output', 'json'];
    const outcome = await holdfast([...line, '--config', this.wrapped.deployment.configurationPath]);
    return { outcome, printed: outcome.stdout === '' ? {} : (JSON.parse(outcome.stdout) as Message) };
  }

  dispose(): void {
    for (const { fault } of this.members) fault.heal();
    this.wrapped.dispose();
    for (const { hsm } of this.members) hsm.dispose();
  }

  #reader(index: number): TokenReader {
    const member = this.members[index];
    if (member === undefined) throw new Error(`There is no member ${index}.`);
    return new TokenReader(member.hsm, this.second.tokenLabel, this.second.pin);
  }
}
