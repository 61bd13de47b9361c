import { randomUUID } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import { Accounting } from './accounting.js';
import type { HoldfastClient, Message } from './client.js';
import { Deployment, eventually } from './deployment.js';

/** Rounds that kill at instants spread over the duration of a few creates. `test/crash` stops at each call of one. */
const sweptRounds = 16;
const createsInFlight = 4;

const deployment = new Deployment({ customClusters: [], faulty: ['default'] });
const fault = deployment.fault('default');
const { softHsm } = deployment;
const accounting = new Accounting(deployment);
const { acknowledged } = accounting;

afterAll(() => {
  expect(deployment.findSecrets()).toEqual([]);
  deployment.dispose();
});

async function createAndRemember(client: HoldfastClient): Promise<void> {
  try {
    const created = (await client.call('CreateKey', {}))['key_metadata'] as Message;
    acknowledged.add(created['key_id'] as string);
  } catch {
    // The server was killed: nothing was acknowledged.
  }
}

/**
 * One life of a server: creates begin, `untilKilled` resolves, the server is killed. @returns how long that took, in
 * ms.
 */
async function life(untilKilled: (creates: Promise<unknown>) => Promise<unknown>): Promise<number> {
  const server = await deployment.spawn();
  const client = server.client();
  await server.defaultKeyStoreConnected(client);
  const startedMs = performance.now();
  const creates = Promise.all(Array.from({ length: createsInFlight }, () => createAndRemember(client)));
  await untilKilled(creates);
  const tookMs = performance.now() - startedMs;
  expect(await server.end('SIGKILL')).toBe('SIGKILL');
  fault.heal();
  await creates;
  client.close();
  return tookMs;
}

it('CreateKey killed at any instant loses no acknowledged key, and leaves no unaccounted material', async () => {
  const wholeMs = await life((creates) => creates);
  expect(acknowledged.size).toBe(createsInFlight);
  for (let round = 0; round < sweptRounds; round += 1) {
    await life(() => sleep((round / (sweptRounds - 1)) * wholeMs));
    accounting.expectAccounted();
  }
  // Between the key and its canary: at least this one is interrupted.
  await life(async () => {
    fault.obey('C_EncryptInit hang');
    const called = fault.calls('C_EncryptInit');
    await eventually(
      () => (fault.calls('C_EncryptInit') > called ? Promise.resolve() : Promise.reject(new Error())),
      5,
    );
  });
  accounting.expectAccounted();

  const restarted = await deployment.spawn();
  const client = restarted.client();
  await restarted.defaultKeyStoreConnected(client);
  await accounting.expectAllKeysWork(client);
  expect(await restarted.end('SIGTERM')).toBe(0);
  accounting.expectAccounted();

  const interrupted = accounting.readCatalog().intents.filter(({ state }) => state !== 'destroyed');
  expect(interrupted.length).toBeGreaterThan(0);
  await accounting.cleanUp();
}, 300_000);

it('a half-made object left by a kill does not make the token unusable', async () => {
  // A kill inside C_GenerateKey leaves an object of SoftHSM that has CKA_KEY_TYPE but not yet CKA_CLASS.
  const remains = '0000000000000002' + '0000000000000100' + '0000000000000002' + '000000000000001f';
  const tokens = join(softHsm.directory, 'tokens');
  // Another kill leaves one that already has its class, but neither id nor label nor value.
  const later = `${remains.slice(0, 16)}000000000000000000000000000000020000000000000004${remains.slice(16)}`;
  for (const content of [Buffer.alloc(0), Buffer.from(remains, 'hex'), Buffer.from(later, 'hex')]) {
    for (const folder of readdirSync(tokens)) {
      const path = join(tokens, folder, randomUUID());
      writeFileSync(`${path}.object`, content);
      writeFileSync(`${path}.lock`, '');
    }
  }
  const server = await deployment.start();
  const client = server.client();
  await server.defaultKeyStoreConnected(client);
  await client.call('CreateKey', {});
  await accounting.expectAllKeysWork(client);
  await server.server.intentRecovery.runNow();
  await server.stop();
  const alerts = deployment.logLines().filter(({ msg }) => String(msg).includes('that the catalog does not know'));
  expect(alerts).toEqual([]);
});
