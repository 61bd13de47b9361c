/** A running service takes up members that were added to its configuration, at SIGHUP. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { HoldfastClient, Message } from './client.js';
import { eventually, type SpawnedServer } from './deployment.js';
import { WrappedDeployment } from './wrapped-deployment.js';

let wrapped: WrappedDeployment;
let server: SpawnedServer;
let client: HoldfastClient;

beforeAll(async () => {
  wrapped = await WrappedDeployment.make(2);
  server = await wrapped.deployment.spawn();
  client = server.client();
  await server.defaultKeyStoreConnected(client);
});
afterAll(() => wrapped.dispose());

const createKey = async (): Promise<Message> => (await client.call('CreateKey', {}))['key_metadata'] as Message;

async function memberOf(name: string): Promise<Message | undefined> {
  const { clusters } = await client.call('DescribeClusters', {
    cluster_id: wrapped.deployment.defaultCluster.clusterId,
  });
  const [{ members }] = clusters as [{ members: Message[] }];
  return members.find((member) => member['name'] === name);
}

const linesSaying = (msg: string): Message[] => wrapped.deployment.logLines().filter((line) => line['msg'] === msg);

/** Sends SIGHUP, and resolves once the log has one more line that says this. */
async function reload(msg: string): Promise<Message | undefined> {
  const before = linesSaying(msg).length;
  server.child.kill('SIGHUP');
  return eventually(() => {
    const lines = linesSaying(msg);
    return lines.length > before ? Promise.resolve(lines.at(-1)) : Promise.reject(new Error(`nothing says: ${msg}`));
  });
}

/** What GetStatus says about the configuration file. */
async function concern(): Promise<string | undefined> {
  const { concerns } = await client.call('GetStatus', {});
  const found = ((concerns ?? []) as Message[]).find(({ subject }) => subject === 'configuration');
  return found?.['message'] as string | undefined;
}

/** Encrypts and decrypts with these keys until it is stopped; resolves with the failures, and the number of calls. */
function underLoad(keyIds: readonly unknown[]): () => Promise<{ failures: unknown[]; calls: number }> {
  let isOver = false;
  let calls = 0;
  const failures: unknown[] = [];
  const loops = keyIds.map(async (keyId) => {
    while (!isOver) {
      calls += 1;
      try {
        const { ciphertext_blob: blob } = await client.call('Encrypt', { key_id: keyId, plaintext: Buffer.from('x') });
        await client.call('Decrypt', { ciphertext_blob: blob });
      } catch (error) {
        failures.push(error);
      }
    }
  });
  return async () => {
    isOver = true;
    await Promise.all(loops);
    return { failures, calls };
  };
}

it('a member is added under load: it gets all keys and takes work, and no call fails', async () => {
  const keys = await Promise.all(Array.from({ length: 6 }, createKey));
  wrapped.ageKeys();
  const stop = underLoad(keys.map((key) => key['key_id']));
  await wrapped.addMember();
  await reload('reloaded');
  await eventually(async () =>
    expect(await memberOf('c')).toMatchObject({ state: 'MEMBER_STATE_SERVING', missing_materials: 0, generation: 2 }),
  );
  const { failures, calls } = await stop();
  expect(failures).toEqual([]);
  expect(calls).toBeGreaterThan(0);
  wrapped.expectAllOnAll();
  await eventually(async () => expect((await createKey())['custody']).toMatchObject({ members: ['a', 'b', 'c'] }));
  for (const index of [0, 1]) wrapped.member(index).fault.remove('device-error');
  const keyId = keys[0]?.['key_id'];
  await client.call('Encrypt', { key_id: keyId, plaintext: Buffer.from('on the new member alone') });
  for (const index of [0, 1]) wrapped.member(index).fault.heal();
  for (const name of ['a', 'b'])
    await eventually(async () => expect(await memberOf(name)).toMatchObject({ state: 'MEMBER_STATE_SERVING' }));
});

it('an invalid file changes nothing, and is logged and shown until it is corrected', async () => {
  expect(await concern()).toBeUndefined();
  wrapped.configure(({ clusters: [cluster] }) => {
    cluster?.members.push({ name: 'd', module: 'd', tokenLabel: 'none' });
  });
  await reload('reload failed; what was loaded before stays in use');
  expect(linesSaying('the configuration cannot be used; what was loaded before stays in use')).toHaveLength(1);
  expect(await concern()).toMatch(/clusters\[0\]\.members\[3\]\.module: there is no module "d"/);
  expect(await memberOf('d')).toBeUndefined();
  // The loader would wait for it, and nothing else could be loaded.
  const pipe = join(wrapped.deployment.folder, 'pipe.so');
  execFileSync('mkfifo', [pipe]);
  wrapped.configure(({ modules }) => (modules['d'] = { path: pipe }));
  await reload('reload failed; what was loaded before stays in use');
  expect(await concern()).toMatch(/modules\.d: .* is not a file but a named pipe/);
  expect(await memberOf('d')).toBeUndefined();
  wrapped.configure(({ modules, clusters: [cluster] }) => {
    delete modules['d'];
    cluster?.members.pop();
  });
  await reload('reloaded');
  expect(await concern()).toBeUndefined();
});

it('a member whose token is missing is away, and the others serve; what needs a restart is named', async () => {
  wrapped.configure(({ clusters: [cluster], limits }) => {
    cluster?.members.push({ name: 'd', module: 'a', tokenLabel: 'no such token' });
    cluster?.members.shift();
    limits['queueLimit'] = 7;
  });
  const needed = await reload('the configuration has changes that need a restart; what was loaded before stays in use');
  const changes = ['limits.queueLimit', 'clusters.default.members.a (removed)'];
  expect(needed).toMatchObject({ changes });
  expect(await concern()).toContain(changes.join(', '));
  await eventually(async () => {
    expect(await memberOf('d')).toMatchObject({ state: 'MEMBER_STATE_AWAY' });
    expect(linesSaying('member did not reconnect')[0]).toMatchObject({ memberName: 'd' });
  });
  const { state } = (await memberOf('a')) ?? {};
  expect(state).toBe('MEMBER_STATE_SERVING');
  expect((await createKey())['custody']).toMatchObject({ members: ['a', 'b', 'c'] });
});
