/** A deployment on three members with the same keys, whose state is kept and brought back before each act. */
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { HoldfastClient, Message } from '../e2e/client.js';
import { eventually } from '../e2e/deployment.js';
import { WrappedDeployment } from '../e2e/wrapped-deployment.js';
import { DiskShim } from './disk-shim.js';
import { KeptFiles } from './kept-files.js';

/** A text and its ciphertext under a key. */
interface Encrypted {
  readonly keyId: string;
  readonly plaintext: Buffer;
  readonly ciphertext: unknown;
}

export class KeptDeployment {
  /** What callers have encrypted, once for each key. */
  readonly encrypted: Encrypted[] = [];
  /** The writes of processes that have its environment: to the catalog, and to archives. */
  readonly disk: DiskShim;
  #kept: KeptFiles | undefined;

  private constructor(readonly wrapped: WrappedDeployment) {
    const { folder, backupFolder } = wrapped.deployment;
    this.disk = new DiskShim([join(folder, 'catalog.sqlite'), join(folder, '.catalog.sqlite'), backupFolder]);
  }

  /** With so many keys, all of them older than an hour. */
  static async make(keyCount: number): Promise<KeptDeployment> {
    const wrapped = await WrappedDeployment.make(3);
    const made = new KeptDeployment(wrapped);
    const server = await wrapped.deployment.spawn();
    const client = server.client();
    await everyMemberServes(client);
    for (let count = 0; count < keyCount; count += 1) made.encrypted.push(await encryptedWithNewKey(client));
    client.close();
    await server.end('SIGTERM');
    wrapped.ageKeys();
    made.#kept = new KeptFiles(wrapped.deployment.folder, wrapped.members);
    return made;
  }

  /** Brings tokens and catalog back. */
  restore(): void {
    const { deployment, accounting } = this.wrapped;
    this.#kept?.restore();
    for (const file of readdirSync(deployment.backupFolder)) rmSync(join(deployment.backupFolder, file));
    // Reading a long log takes time.
    writeFileSync(deployment.logPath, '');
    accounting.acknowledged.clear();
    for (const { keyId } of this.encrypted) accounting.acknowledged.add(keyId);
  }

  /** See `KeptFiles`. */
  mendTornTokens(): void {
    this.#kept?.mendTornTokens();
  }

  /** Changes the catalog. */
  change(statement: string, ...values: unknown[]): void {
    const database = new Database(join(this.wrapped.deployment.folder, 'catalog.sqlite'));
    database.prepare(statement).run(...values);
    database.close();
  }

  dispose(): void {
    this.disk.dispose();
    this.wrapped.dispose();
  }
}

/** Resolves when all members take work. */
export function everyMemberServes(client: HoldfastClient): Promise<void> {
  return eventually(async () => {
    const { key_stores: keyStores } = await client.call('GetStatus');
    const [{ members }] = keyStores as [{ members: Message[] }];
    if (!members.every((member) => member['state'] === 'MEMBER_STATE_SERVING')) throw new Error('not yet');
  }, 20);
}

async function encryptedWithNewKey(client: HoldfastClient): Promise<Encrypted> {
  const created = (await client.call('CreateKey', {}))['key_metadata'] as Message;
  const keyId = created['key_id'] as string;
  const plaintext = Buffer.from(`what key ${keyId} protects`);
  const { ciphertext_blob: ciphertext } = await client.call('Encrypt', { key_id: keyId, plaintext });
  return { keyId, plaintext, ciphertext };
}
