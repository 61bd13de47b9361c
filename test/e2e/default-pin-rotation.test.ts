/** The PIN of the default key store is rotated on two members by two processes, whose configuration has an older one. */
import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { systemClock } from '../../src/clock-system.js';
import { PinProcess } from '../../src/hsm/pin-process.js';
import { Secret } from '../../src/secret.js';
import type { HoldfastClient, Message } from './client.js';
import { eventually, randomPin, type RunningServer, type SpawnedServer } from './deployment.js';
import { WrappedDeployment } from './wrapped-deployment.js';

let wrapped: WrappedDeployment;
let server: RunningServer;
let client: HoldfastClient;
let keyId: string;

beforeAll(async () => {
  wrapped = await WrappedDeployment.make(2, { requestTimeoutMs: 20_000, operationTimeoutMs: 1_000 });
  await start();
  keyId = ((await client.call('CreateKey', {}))['key_metadata'] as Message)['key_id'] as string;
});

afterEach(() => {
  for (const { fault } of wrapped.members) fault.heal();
});

afterAll(async () => {
  await server.stop();
  expect(wrapped.deployment.findSecrets()).toEqual([]);
  wrapped.dispose();
});

const faults = () => wrapped.members.map(({ fault }) => fault);
const clusterId = () => wrapped.deployment.defaultCluster.clusterId;
const encrypt = (by = client) => by.call('Encrypt', { key_id: keyId, plaintext: randomBytes(8) });
const rotate = (request: Message = {}) => client.call('RotatePin', { custom_key_store_id: clusterId(), ...request });
const logins = (kind: 'entered' | 'failed') => faults().map((fault) => fault.counts('C_Login')[kind]);
const complete = {
  complete: true,
  members: ['a', 'b'].map((name) => ({ member_name: name, phase: 'PIN_PHASE_NEW' })),
};

async function start(): Promise<void> {
  server = await wrapped.deployment.start();
  client = server.client();
  await server.defaultKeyStoreConnected(client);
}

async function restart(): Promise<void> {
  await server.stop();
  await start();
}

/** Rotates to a random PIN. @returns it */
async function rotateAndShow(): Promise<string> {
  const answer = await rotate({ show_pin: true });
  expect(answer).toMatchObject(complete);
  const pin = Buffer.from(answer['generated_pin'] as Uint8Array).toString();
  wrapped.deployment.ledger.add('the new PIN', pin);
  return pin;
}

function anotherPin(): string {
  const pin = randomPin();
  wrapped.deployment.ledger.add('another PIN', pin);
  return pin;
}

/** Puts the PIN where the configuration points, in one step. */
function putInFile(value: string): void {
  const path = join(wrapped.deployment.folder, 'default.pin');
  writeFileSync(`${path}.new.pin`, value, { mode: 0o600 });
  renameSync(`${path}.new.pin`, path);
}

async function concerns(): Promise<string[]> {
  const status = await client.call('GetStatus');
  return ((status['concerns'] ?? []) as Message[])
    .filter(({ subject }) => subject === 'configuration')
    .map(({ message }) => String(message));
}

const outOfDate = [expect.stringContaining('a rotation has replaced') as string];

/** The versions of the catalog's PINs, and whether a configuration has taken each up. */
function recorded(): unknown[] {
  const database = new Database(join(wrapped.deployment.folder, 'catalog.sqlite'), { readonly: true });
  const query = 'select password_version, taken_up_date is not null from default_pins order by password_version';
  const rows = database.prepare(query).raw().all();
  database.close();
  return rows;
}

/** Both members take work. */
const whole = (by = client) =>
  eventually(async () => {
    const status = await by.call('GetStatus');
    const [store] = status['key_stores'] as Message[];
    const states = ((store?.['members'] ?? []) as Message[]).map(({ state }) => state);
    expect(states).toEqual(['MEMBER_STATE_SERVING', 'MEMBER_STATE_SERVING']);
  });

/** Each token forgets the logins of all processes, one token after the other. */
async function logInAgain(...by: HoldfastClient[]): Promise<void> {
  for (const fault of faults()) {
    const before = fault.counts('C_Login').entered;
    fault.loseLogin();
    await eventually(async () => {
      for (const caller of by) await encrypt(caller).catch(() => undefined);
      expect(fault.counts('C_Login').entered).toBeGreaterThan(before);
    });
    for (const caller of by) await whole(caller);
  }
}

/** The configuration of a second process: a socket and an audit file have one owner. */
function configurationOfAnother(): string {
  const { configurationPath, folder } = wrapped.deployment;
  const configuration = parse(readFileSync(configurationPath, 'utf8')) as Message & { listeners: Message[] };
  configuration.listeners = configuration.listeners.filter(({ kind }) => kind !== 'unix');
  configuration['audit'] = { file: join(folder, 'other-audit.log') };
  const path = join(folder, 'other.yaml');
  writeFileSync(path, stringify(configuration));
  return path;
}

const spawnAnother = (): Promise<SpawnedServer> =>
  wrapped.deployment.spawn({}, { configurationPath: configurationOfAnother() });

let newest: string;

it('no call of two processes fails while the PIN is rotated, nor any login', async () => {
  const other = await spawnAnother();
  await eventually(() => encrypt(other.client()));
  const stopping = new AbortController();
  const callers = [client, other.client(), server.client()].map(async (by) => {
    let calls = 0;
    for (; !stopping.signal.aborted; calls += 1) await encrypt(by);
    return calls;
  });
  expect(await rotate({ dry_run: true })).not.toMatchObject({ complete: true });
  expect(recorded()).toEqual([]);
  expect(await rotate()).toMatchObject(complete);
  newest = await rotateAndShow();
  stopping.abort();
  expect(Math.min(...(await Promise.all(callers)))).toBeGreaterThan(0);
  await logInAgain(client, other.client());
  expect(await other.end('SIGTERM')).toBe(0);
  expect(logins('failed')).toEqual([0, 0]);
  expect(recorded()).toEqual([
    [1, 0],
    [2, 0],
    [3, 0],
  ]);
  await eventually(async () => expect(await concerns()).toEqual(outOfDate));
});

it('a restarted server whose file has a PIN that was replaced logs in once to each token', async () => {
  const before = logins('entered');
  await restart();
  await whole();
  await encrypt();
  expect(logins('entered')).toEqual(before.map((count) => count + 1));
  await server.server.reload();
  expect(logins('failed')).toEqual([0, 0]);
  expect(await concerns()).toEqual(outOfDate);
});

it('a file with the new PIN counts again, and a process that has not read it follows', async () => {
  const other = await spawnAnother();
  await eventually(() => encrypt(other.client()));
  putInFile(newest);
  const before = logins('entered');
  await server.server.reload();
  expect(logins('entered')).toEqual(before);
  expect(recorded()).toEqual([[4, 1]]);
  expect(await concerns()).toEqual([]);
  await logInAgain(client, other.client());
  await other.end('SIGTERM');
  await restart();
  await whole();
  expect(logins('failed')).toEqual([0, 0]);
});

it('a wrong PIN in the file costs one login, and that of the catalog stays in use', async () => {
  newest = await rotateAndShow();
  expect(recorded()).toEqual([
    [4, 1],
    [5, 0],
    [6, 0],
  ]);
  putInFile(anotherPin());
  for (let again = 0; again < 2; again += 1) await expect(server.server.reload()).rejects.toThrow(/did not accept it/);
  expect(logins('failed')).toEqual([1, 0]);
  await logInAgain(client);
  expect(logins('failed')).toEqual([1, 0]);
});

it('a PIN that an operator set on the tokens counts after a restart, and every process follows', async () => {
  putInFile(newest);
  const other = await spawnAnother();
  await eventually(() => encrypt(other.client()));
  await other.end('SIGTERM');
  expect(recorded()).toEqual([[7, 1]]);
  const rotated = await rotateAndShow();
  const wanted = anotherPin();
  for (const { fault } of wrapped.members) await changeOnToken(fault.module, rotated, wanted);
  putInFile(wanted);
  await restart();
  await whole();
  expect(recorded()).toEqual([[10, 1]]);
  await logInAgain(client);
  expect(logins('failed')).toEqual([1, 0]);
});

it('a server that is killed inside C_SetPIN is followed by one that finds out which PIN the token has', async () => {
  const before = logins('failed');
  await server.stop();
  const killed = await wrapped.deployment.spawn();
  const caller = killed.client();
  await eventually(() => encrypt(caller));
  const [fault] = faults();
  const entered = fault?.counts('C_SetPIN').entered ?? 0;
  fault?.obey('C_SetPIN hang');
  const interrupted = caller.call('RotatePin', { custom_key_store_id: clusterId() }).catch(() => undefined);
  await eventually(() => {
    expect(fault?.counts('C_SetPIN').entered).toBeGreaterThan(entered);
    return Promise.resolve();
  });
  await killed.end('SIGKILL');
  await interrupted;
  fault?.heal();
  await start();
  await eventually(() => encrypt());
  await eventually(async () => expect(await rotate()).toMatchObject(complete));
  await whole();
  const wrong = logins('failed').map((count, index) => count - (before[index] ?? 0));
  expect(wrong[0]).toBeLessThanOrEqual(1);
  expect(wrong[1]).toBe(0);
});

/** Changes the PIN on a token, as an operator does with the vendor's tool. */
async function changeOnToken(
  module: (typeof wrapped.members)[number]['fault']['module'],
  from: string,
  to: string,
): Promise<void> {
  const { tokenLabel } = wrapped.deployment.defaultCluster;
  const place = { module, tokenLabel, tokenSerialNumber: null };
  const { process } = await PinProcess.find(place, systemClock, systemClock.monotonicMs() + 20_000);
  using present = Secret.fromUtf8(from);
  using wanted = Secret.fromUtf8(to);
  await process.startChange(present);
  await process.finishChange(wanted);
  await process.end();
}
