import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../src/clock-system.js';
import { PinProcess } from '../../src/hsm/pin-process.js';
import { Secret } from '../../src/secret.js';
import type { HoldfastClient, Message } from './client.js';
import { connectedKeyStore, connectionState, Deployment, randomPin, type RunningServer } from './deployment.js';

/** A password is set on a store that is connected, without a failed call; a wrong one costs one login. */

const deployment = new Deployment({
  faulty: ['custom'],
  configure: (configuration) => {
    configuration['limits'] = { requestTimeoutMs: 5_000, operationTimeoutMs: 1_000 };
    configuration['recovery'] = { openTimeoutMs: 5_000, probeDelayMs: 100 };
  },
});
const fault = deployment.fault('custom');
let server: RunningServer;
let client: HoldfastClient;
let storeId: string;
let keyId: string;
let pin = deployment.customCluster.pin;

beforeAll(async () => {
  server = await deployment.start();
  client = server.client();
  storeId = await connectedKeyStore(client, deployment);
  const created = await client.call('CreateKey', { origin: 'ORIGIN_AWS_CLOUDHSM', custom_key_store_id: storeId });
  keyId = (created['key_metadata'] as Message)['key_id'] as string;
});

beforeEach(() => fault.heal());

afterEach(() => fault.heal());

afterAll(async () => {
  await server.stop();
  expect(deployment.findSecrets()).toEqual([]);
  deployment.dispose();
});

const encrypt = (by = client) => by.call('Encrypt', { key_id: keyId, plaintext: randomBytes(8) });
const setPassword = (password: string) =>
  ({ custom_key_store_id: storeId, key_store_password: password }) satisfies Message;
const update = (password: string) => client.call('UpdateCustomKeyStore', setPassword(password));
const refusal = (password: string) => client.refusal('UpdateCustomKeyStore', setPassword(password));

function newPin(): string {
  const made = randomPin();
  deployment.ledger.add('another PIN', made);
  return made;
}

/** Changes the PIN on the token, as an operator does with the vendor's tool. */
async function changeOnToken(next: string): Promise<void> {
  const place = { module: fault.module, tokenLabel: deployment.customCluster.tokenLabel, tokenSerialNumber: null };
  const { process } = await PinProcess.find(place, systemClock, systemClock.monotonicMs() + 20_000);
  using present = Secret.fromUtf8(pin);
  using wanted = Secret.fromUtf8(next);
  await process.startChange(present);
  await process.finishChange(wanted);
  await process.end();
  pin = next;
}

const failedLogins = (): number => fault.counts('C_Login').failed;

it('no call fails while the PIN is changed on the token and then set', async () => {
  const stopping = new AbortController();
  const callers = [1, 2, 3, 4].map(async () => {
    const caller = server.client();
    let calls = 0;
    for (; !stopping.signal.aborted; calls += 1) await encrypt(caller);
    return calls;
  });
  await changeOnToken(newPin());
  await update(pin);
  await encrypt();
  stopping.abort();
  expect(Math.min(...(await Promise.all(callers)))).toBeGreaterThan(0);
  expect(await connectionState(client, storeId, 'CONNECTED')).toBeDefined();
  expect(failedLogins()).toBe(0);
});

it('the next login of the process that was connected uses the new password', async () => {
  await changeOnToken(newPin());
  await update(pin);
  const before = failedLogins();
  fault.loseLogin();
  for (;;) {
    const answer = await encrypt().catch(() => undefined);
    if (answer !== undefined) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(failedLogins()).toBe(before);
});

it('a wrong password costs one login, however often it is sent, and changes nothing', async () => {
  const before = failedLogins();
  for (let again = 0; again < 3; again += 1) {
    const refused = await refusal('not the PIN of this token');
    expect(refused).toMatchObject({ reason: 'VALIDATION', fieldViolations: [{ field: 'key_store_password' }] });
  }
  expect(failedLogins()).toBe(before + 1);
  await encrypt();
  await update(pin);
});

it('a login that hangs ends in time and says nothing of the password', async () => {
  fault.obey('C_Login hang');
  expect(await refusal(pin)).toMatchObject({ reason: 'CUSTOM_KEY_STORE_INVALID_STATE' });
  fault.heal();
  await encrypt();
  await update(pin);
});

it('a locked token is named, and gets no login', async () => {
  const before = fault.counts('C_Login').entered;
  fault.set('tokenFlags', 0x4_0000);
  const refused = await refusal(newPin());
  expect(refused.reason).toBe('CUSTOM_KEY_STORE_INVALID_STATE');
  expect(refused.message).toContain('USER_LOCKED_OUT');
  expect(fault.counts('C_Login').entered).toBe(before);
});
