import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { HoldfastClient, Message } from './client.js';
import {
  connectedKeyStore,
  connectionState,
  Deployment,
  eventually,
  randomPin,
  type SpawnedServer,
} from './deployment.js';

/** A PIN is changed on a token and in the catalog by a server in a process of its own, which is killed in the middle. */

const deployment = new Deployment({
  faulty: ['custom'],
  configure: (configuration) => {
    configuration['limits'] = { requestTimeoutMs: 8_000, operationTimeoutMs: 1_000 };
    configuration['recovery'] = { openTimeoutMs: 5_000, probeDelayMs: 100 };
  },
});
const fault = deployment.fault('custom');
let server: SpawnedServer;
let client: HoldfastClient;
let storeId: string;
let keyId: string;

beforeAll(async () => {
  server = await deployment.spawn();
  client = server.client();
  storeId = await connectedKeyStore(client, deployment);
  const created = await client.call('CreateKey', { origin: 'ORIGIN_AWS_CLOUDHSM', custom_key_store_id: storeId });
  keyId = (created['key_metadata'] as Message)['key_id'] as string;
});

afterEach(() => fault.heal());

afterAll(async () => {
  await server.end('SIGTERM');
  expect(deployment.findSecrets()).toEqual([]);
  deployment.dispose();
});

const encrypt = (by = client) => by.call('Encrypt', { key_id: keyId, plaintext: randomBytes(8) });
const rotate = (request: Message = {}) => client.call('RotatePin', { custom_key_store_id: storeId, ...request });
const failedLogins = (): number => fault.counts('C_Login').failed;
const complete = { complete: true, members: [{ member_name: 'a', phase: 'PIN_PHASE_NEW' }] };

async function restart(signal: NodeJS.Signals): Promise<void> {
  await server.end(signal);
  server = await deployment.spawn();
  client = server.client();
}

function newPin(): string {
  const made = randomPin();
  deployment.ledger.add('another PIN', made);
  return made;
}

it('no call fails while the PIN is rotated, and a restarted server logs in with the new one', async () => {
  const stopping = new AbortController();
  const callers = [1, 2, 3, 4].map(async () => {
    const caller = server.client();
    let calls = 0;
    for (; !stopping.signal.aborted; calls += 1) await encrypt(caller);
    return calls;
  });
  for (let again = 0; again < 3; again += 1) expect(await rotate()).toMatchObject(complete);
  stopping.abort();
  expect(Math.min(...(await Promise.all(callers)))).toBeGreaterThan(0);
  await restart('SIGTERM');
  await connectionState(client, storeId, 'CONNECTED');
  await eventually(() => encrypt());
  expect(failedLogins()).toBe(0);
});

it('a dry run changes nothing', async () => {
  const before = fault.counts('C_Login').entered;
  expect(await rotate({ dry_run: true })).toMatchObject({ members: [{ member_name: 'a', phase: 'PIN_PHASE_OLD' }] });
  expect(fault.counts('C_Login').entered).toBe(before);
});

it('a PIN that the token refuses leaves the old one in force, without a wrong login', async () => {
  const before = failedLogins();
  fault.obey('C_SetPIN rv 0xa2');
  const refusal = await client.refusal('RotatePin', { custom_key_store_id: storeId, key_store_password: newPin() });
  expect(refusal).toMatchObject({ reason: 'CUSTOM_KEY_STORE_INVALID_STATE' });
  fault.heal();
  expect(failedLogins()).toBe(before);
  expect(await rotate({ key_store_password: newPin() })).toMatchObject(complete);
});

it('a server that is killed inside C_SetPIN is followed by one that finds out which PIN the token has', async () => {
  const before = failedLogins();
  const entered = fault.counts('C_SetPIN').entered;
  fault.obey('C_SetPIN hang');
  const interrupted = rotate().catch(() => undefined);
  await eventually(() => {
    expect(fault.counts('C_SetPIN').entered).toBeGreaterThan(entered);
    return Promise.resolve();
  });
  await server.end('SIGKILL');
  await interrupted;
  fault.heal();
  server = await deployment.spawn();
  client = server.client();
  await connectionState(client, storeId, 'CONNECTED');
  await eventually(() => encrypt());
  await eventually(async () => expect(await rotate()).toMatchObject(complete));
  expect(failedLogins()).toBeLessThanOrEqual(before + 1);
  await encrypt();
});

it('a C_SetPIN that hangs is ended, and the rotation is completed later', async () => {
  fault.obey('C_SetPIN hang');
  const answer = await rotate().catch((error: unknown) => error);
  expect(answer).not.toMatchObject({ complete: true });
  fault.heal();
  await eventually(async () => expect(await rotate()).toMatchObject(complete));
  await encrypt();
});
