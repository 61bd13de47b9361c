/** A site with three members and a vault elsewhere, filled with keys of every state, that is lost in parts and comes back. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import Database from 'better-sqlite3';
import { parse, stringify } from 'yaml';
import type { HoldfastClient, Message } from '../e2e/client.js';
import { commandLine, eventually, type RunningServer } from '../e2e/deployment.js';
import { configured, modulesOf, WrappedDeployment } from '../e2e/wrapped-deployment.js';
import { newMember, runCeremony, type SoftHsmMember } from '../wrapped-cluster.js';

/** The name of the cluster on the page that is tried. */
const clusterName = 'payments';
const vaultPin = 'vault-1234567';

/** What a caller has of a key. */
interface Kept {
  readonly keyId: string;
  readonly plaintext: Buffer;
  readonly ciphertext: unknown;
  readonly context: Record<string, string>;
}

/** What a command did. */
export interface CommandOutcome {
  exitCode: number | null;
  stderr: string;
  printed: Message;
}

const inFlight = 8;

/** What differs between a catalog and the one that is restored from its archive, and why. */
const differing = {
  catalog_metadata: 'it is a new incarnation',
  catalog_epoch: 'its epochs are its own',
  catalog_epochs: 'its epochs are its own',
  catalog_predecessors: 'it follows other catalogs',
  member_witnesses: 'its epochs are its own',
  time_record: 'deletions are held',
  encryption_reservations: 'the counts rise, which is looked at',
  leases: 'of processes that ran',
  counters: 'they go on',
  login_attempts: 'of tokens that are lost, and of new ones',
  cluster_loads: 'of processes that ran',
  cluster_daily_peaks: 'of processes that ran',
  backups: 'the archive does not know that it was finished',
};

export class Site {
  readonly kept: Kept[] = [];

  private constructor(
    readonly wrapped: WrappedDeployment,
    readonly vault: SoftHsmMember,
  ) {}

  static async make(): Promise<Site> {
    const wrapped = await WrappedDeployment.make(3);
    wrapped.configure((file) => {
      Object.assign(file.clusters[0] ?? {}, { name: clusterName });
      Object.assign(file, { backup: { folder: wrapped.deployment.backupFolder, materialsPerSecond: 1_000 } });
    });
    const vault = wrapped.addRecoveryMember('vault', vaultPin);
    const site = new Site(wrapped, vault);
    await runCeremony([...wrapped.members, vault], 2, wrapped.deployment.defaultCluster);
    site.#write('vault.pin', vaultPin);
    const { pin } = wrapped.deployment.defaultCluster;
    for (const { name } of [...wrapped.members, vault]) site.#write(`${name}.so.pin`, `so-${pin}`);
    for (const { name } of wrapped.members) site.#write(`${name}.user.pin`, pin);
    return site;
  }

  get catalogPath(): string {
    return join(this.wrapped.deployment.folder, 'catalog.sqlite');
  }

  /** Keys in every state that is not on its way to another. */
  async fill(count: number): Promise<void> {
    await this.serving(async (client) => {
      await inParallel(count, async (number) => this.kept.push(await this.#makeKey(client, number)));
      const [first, second, third] = this.kept;
      await client.call('CreateAlias', { alias_name: 'alias/of-the-first', target_key_id: first?.keyId });
      await client.call('DisableKey', { key_id: second?.keyId });
      await client.call('ScheduleKeyDeletion', { key_id: third?.keyId, pending_window_in_days: 7 });
    });
  }

  /** Makes an archive in the service's folder. @returns its path */
  async archive(): Promise<string> {
    return this.serving(async (client) => {
      const { backup_id: backupId } = await client.call('CreateBackup');
      const made = await eventually(async () => {
        const { backups } = await client.call('DescribeBackups', { backup_id: backupId });
        const [backup] = backups as [Message];
        if (backup['state'] === 'BACKUP_STATE_RUNNING') throw new Error('It is under way.');
        return backup;
      }, 600);
      if (made['state'] !== 'BACKUP_STATE_COMPLETE') throw new Error(JSON.stringify(made));
      return join(this.wrapped.deployment.backupFolder, made['file_name'] as string);
    });
  }

  /** The catalog is gone, with its files beside it. @returns where it is now */
  loseCatalog(): string {
    const lost = `${this.catalogPath}.lost`;
    for (const end of ['', '-wal', '-shm'])
      if (existsSync(this.catalogPath + end)) renameSync(this.catalogPath + end, lost + end);
    return lost;
  }

  /** Everything that a catalog has, but what differs after a restore; the counts of encryptions are less by `raisedBy`. */
  contentOf(path: string, raisedBy = 0): Record<string, unknown[]> {
    const database = new Database(path, { readonly: true });
    try {
      const read = (query: string): unknown[] =>
        database
          .prepare(query)
          .all()
          .sort((one, other) => JSON.stringify(one).localeCompare(JSON.stringify(other)));
      const tables = database.prepare<[], string>("select name from sqlite_schema where type = 'table'").pluck().all();
      const names = tables.filter((name) => !name.startsWith('sqlite_') && !Object.hasOwn(differing, name));
      const counts = `select m.material_id, coalesce(c.reserved_encryptions, 0) - ${raisedBy} as encryptions
        from materials m left join encryption_reservations c on c.material_id = m.material_id`;
      return {
        ...Object.fromEntries(names.map((name) => [name, read(`select * from ${name}`)])),
        counts: read(counts),
      };
    } finally {
      database.close();
    }
  }

  /** Runs a command of the page, in the deployment's folder. @param paths what the page's paths are here */
  async run(words: readonly string[], paths: Record<string, string> = {}): Promise<CommandOutcome> {
    const { configurationPath, folder: cwd } = this.wrapped.deployment;
    const own = new Map(Object.entries({ '/etc/holdfast/holdfast.yaml': configurationPath, ...paths }));
    const line = words.map((word) => own.get(word) ?? word);
    const output = line.includes('--output') ? [] : ['--output', 'json'];
    const child = spawn(process.execPath, [commandLine, ...line, ...output], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    return { exitCode: child.exitCode, stderr, printed: stdout === '' ? {} : (JSON.parse(stdout) as Message) };
  }

  /** A scratch token, in the last ceremony as one more recovery member, and the configuration and the sample of a drill. */
  async prepareDrill(): Promise<SoftHsmMember> {
    const { folder, configurationPath, defaultCluster } = this.wrapped.deployment;
    const scratch = newMember('scratch', defaultCluster);
    await runCeremony([...this.wrapped.members, this.vault, scratch], 3, defaultCluster);
    const file = parse(readFileSync(configurationPath, 'utf8')) as Message & { clusters: Message[]; modules: Message };
    Object.assign(file.modules, modulesOf([scratch]));
    const members = [configured(scratch, defaultCluster.tokenLabel)];
    Object.assign(file.clusters[0] ?? {}, { minimumMembers: 1, members });
    file['catalog'] = { kind: 'sqlite', path: join(folder, 'drill.sqlite') };
    file['audit'] = { file: join(folder, 'drill.log') };
    this.#write('drill.yaml', stringify(file, { aliasDuplicateObjects: false }));
    const lines = this.kept.map(({ ciphertext, context }) =>
      JSON.stringify({
        ciphertext: Buffer.from(ciphertext as Uint8Array).toString('base64'),
        encryption_context: context,
      }),
    );
    this.#write('sample.jsonl', `${lines.join('\n')}\n`);
    return scratch;
  }

  /** What an officer would answer in a ceremony over these members. */
  answers(members: readonly string[]): string[] {
    return [
      '--unattested',
      ...members.flatMap((name) => ['--so-pin-file', `${name}=${name}.so.pin`]),
      ...members.flatMap((name) => [
        '--user-pin-file',
        `${name}=${name === 'vault' ? 'vault.pin' : `${name}.user.pin`}`,
      ]),
    ];
  }

  /** Starts a server, and opens every ciphertext; the disabled key and the one to be deleted are in that state first. */
  async expectDecrypted(): Promise<string[]> {
    return this.serving(async (client) => {
      const [first, second, third] = this.kept;
      await client.call('EnableKey', { key_id: second?.keyId });
      await client.call('CancelKeyDeletion', { key_id: third?.keyId });
      await client.call('EnableKey', { key_id: third?.keyId });
      const { key_metadata: named } = await client.call('DescribeKey', { key_id: 'alias/of-the-first' });
      const problems = (named as Message)['key_id'] === first?.keyId ? [] : ['the alias has another key'];
      await inParallel(this.kept.length, async (index) => {
        const kept = this.kept[index];
        if (kept === undefined) return;
        const opened = await client
          .call('Decrypt', { ciphertext_blob: kept.ciphertext, encryption_context: kept.context })
          .catch((error: unknown) => ({ plaintext: Buffer.from(String(error)) }));
        const { plaintext } = opened as { plaintext: Uint8Array };
        if (!kept.plaintext.equals(plaintext)) problems.push(`${kept.keyId}: ${Buffer.from(plaintext).toString()}`);
      });
      return problems;
    });
  }

  async serving<T>(work: (client: HoldfastClient, server: RunningServer) => Promise<T>): Promise<T> {
    const server = await this.wrapped.deployment.start();
    try {
      const client = server.client();
      await server.defaultKeyStoreConnected(client);
      return await work(client, server);
    } finally {
      await server.stop();
    }
  }

  dispose(): void {
    this.wrapped.dispose();
    this.vault.hsm.dispose();
  }

  async #makeKey(client: HoldfastClient, number: number): Promise<Kept> {
    const { key_metadata: metadata } = await client.call('CreateKey', { description: `number ${number}` });
    const keyId = (metadata as Message)['key_id'] as string;
    const plaintext = Buffer.from(`what key ${keyId} protects`);
    const context = number % 2 === 0 ? {} : { number: String(number) };
    const request = { key_id: keyId, plaintext, encryption_context: context };
    const { ciphertext_blob: ciphertext } = await client.call('Encrypt', request);
    return { keyId, plaintext, ciphertext, context };
  }

  #write(name: string, content: string): void {
    writeFileSync(join(this.wrapped.deployment.folder, name), content, { mode: 0o600 });
  }
}

/** Does the work for 0, 1, … below the count, some at a time. */
async function inParallel(count: number, work: (number: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
}
