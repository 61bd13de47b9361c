/** A deployment on three members with the same keys, whose state is kept and brought back before each act. */
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { HoldfastClient, Message } from '../e2e/client.js';
import { eventually } from '../e2e/deployment.js';
import { WrappedDeployment } from '../e2e/wrapped-deployment.js';

/** A text and its ciphertext under a key. */
interface Encrypted {
  readonly keyId: string;
  readonly plaintext: Buffer;
  readonly ciphertext: unknown;
}

export class KeptDeployment {
  /** What callers have encrypted, once for each key. */
  readonly encrypted: Encrypted[] = [];
  readonly #kept: string;

  private constructor(readonly wrapped: WrappedDeployment) {
    this.#kept = join(wrapped.deployment.folder, 'kept');
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
    made.#keep();
    return made;
  }

  /** Brings tokens and catalog back. */
  restore(): void {
    const { deployment, accounting, members } = this.wrapped;
    for (const { name, hsm } of members) {
      rmSync(join(hsm.directory, 'tokens'), { recursive: true });
      cpSync(join(this.#kept, name), join(hsm.directory, 'tokens'), { recursive: true });
    }
    for (const file of catalogFiles(deployment.folder)) rmSync(join(deployment.folder, file));
    for (const file of catalogFiles(this.#kept)) cpSync(join(this.#kept, file), join(deployment.folder, file));
    // Reading a long log takes time.
    writeFileSync(deployment.logPath, '');
    accounting.acknowledged.clear();
    for (const { keyId } of this.encrypted) accounting.acknowledged.add(keyId);
  }

  /** Changes the catalog. */
  change(statement: string, ...values: unknown[]): void {
    const database = new Database(join(this.wrapped.deployment.folder, 'catalog.sqlite'));
    database.prepare(statement).run(...values);
    database.close();
  }

  dispose(): void {
    this.wrapped.dispose();
  }

  #keep(): void {
    const { deployment, members } = this.wrapped;
    mkdirSync(this.#kept);
    for (const { name, hsm } of members)
      cpSync(join(hsm.directory, 'tokens'), join(this.#kept, name), { recursive: true });
    for (const file of catalogFiles(deployment.folder)) cpSync(join(deployment.folder, file), join(this.#kept, file));
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

function catalogFiles(folder: string): string[] {
  return readdirSync(folder).filter((file) => file.startsWith('catalog.sqlite'));
}
