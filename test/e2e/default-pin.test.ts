import { randomBytes } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/clock-system.js';
import { PinProcess } from '../../src/hsm/pin-process.js';
import { Secret } from '../../src/secret.js';
import type { HoldfastClient, Message } from './client.js';
import { Deployment, eventually, randomPin, type RunningServer } from './deployment.js';

/** The default key store's PIN is changed on its token and in its file, and read again without a restart. */

const deployment = new Deployment({
  faulty: ['default'],
  customClusters: [],
  configure: (configuration) => {
    configuration['limits'] = { requestTimeoutMs: 5_000, operationTimeoutMs: 1_000 };
    configuration['recovery'] = { openTimeoutMs: 5_000, probeDelayMs: 100 };
  },
});
const fault = deployment.fault('default');
let running: RunningServer;
let client: HoldfastClient;
let keyId: string;
let { pin } = deployment.defaultCluster;

beforeAll(async () => {
  running = await deployment.start();
  client = running.client();
  await running.defaultKeyStoreConnected(client);
  keyId = ((await client.call('CreateKey', {}))['key_metadata'] as Message)['key_id'] as string;
});

afterEach(() => fault.heal());

afterAll(async () => {
  await running.stop();
  expect(deployment.findSecrets()).toEqual([]);
  deployment.dispose();
});

const encrypt = () => client.call('Encrypt', { key_id: keyId, plaintext: randomBytes(8) });
const failedLogins = (): number => fault.counts('C_Login').failed;

async function concerns(): Promise<string[]> {
  const status = await client.call('GetStatus');
  return ((status['concerns'] ?? []) as Message[])
    .filter(({ subject }) => subject === 'configuration')
    .map(({ message }) => String(message));
}

function newPin(): string {
  const made = randomPin();
  deployment.ledger.add('another PIN', made);
  return made;
}

/** Puts the PIN where the configuration points, in one step. */
function putInFile(value: string): void {
  const path = join(deployment.folder, 'default.pin');
  writeFileSync(`${path}.new.pin`, value, { mode: 0o600 });
  renameSync(`${path}.new.pin`, path);
}

/** Changes the PIN on the token, as an operator does with the vendor's tool. */
async function changeOnToken(next: string): Promise<void> {
  const { tokenLabel } = deployment.defaultCluster;
  const place = { module: fault.module, tokenLabel, tokenSerialNumber: null };
  const { process } = await PinProcess.find(place, systemClock, systemClock.monotonicMs() + 20_000);
  using present = Secret.fromUtf8(pin);
  using wanted = Secret.fromUtf8(next);
  await process.startChange(present);
  await process.finishChange(wanted);
  await process.end();
  pin = next;
}

/** The token forgets the login, and the service makes another one. */
async function logInAgain(): Promise<void> {
  const before = fault.counts('C_Login').entered;
  fault.loseLogin();
  await eventually(async () => {
    await encrypt().catch(() => undefined);
    expect(fault.counts('C_Login').entered).toBeGreaterThan(before);
  });
  await eventually(encrypt);
}

it('a PIN that did not change costs no login', async () => {
  const before = fault.counts('C_Login').entered;
  await running.server.reload();
  expect(fault.counts('C_Login').entered).toBe(before);
});

it('another PIN is taken up while calls run: none fails, and the next login uses it', async () => {
  const stopping = new AbortController();
  const callers = [1, 2, 3].map(async () => {
    while (!stopping.signal.aborted) await encrypt();
  });
  for (let again = 0; again < 2; again += 1) {
    await changeOnToken(newPin());
    putInFile(pin);
    await running.server.reload();
  }
  stopping.abort();
  await Promise.all(callers);
  await logInAgain();
  expect(failedLogins()).toBe(0);
  expect(await concerns()).toEqual([]);
});

it('a wrong PIN costs one login however often it is read, is shown, and leaves the old one in use', async () => {
  putInFile(newPin());
  for (let again = 0; again < 3; again += 1)
    await expect(running.server.reload()).rejects.toThrow(/member a did not accept it \(INVALID_CREDENTIALS\)/);
  expect(failedLogins()).toBe(1);
  expect(await concerns()).toMatchObject([expect.stringContaining('PIN of the default key store')]);
  await logInAgain();
  expect(failedLogins()).toBe(1);
  putInFile(pin);
  await running.server.reload();
  expect(await concerns()).toEqual([]);
});

it('a PIN that cannot be read leaves the old one in use', async () => {
  putInFile('two\nlines');
  await expect(running.server.reload()).rejects.toThrow(/more than one line/);
  await logInAgain();
  putInFile(pin);
  await running.server.reload();
});

it('a restarted server logs in with the PIN of the file', async () => {
  const before = failedLogins();
  await running.stop();
  running = await deployment.start();
  client = running.client();
  await running.defaultKeyStoreConnected(client);
  expect(failedLogins()).toBe(before);
});
