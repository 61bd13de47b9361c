/** A PIN is rotated on three members, one of which is away, refuses or lies, and the keys that seal PINs while that is so. */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import type { HoldfastClient, Message } from './client.js';
import { connectionState, eventually, randomPin, type RunningServer, type SpawnedServer } from './deployment.js';
import { MembersDeployment } from './members-deployment.js';

let made: MembersDeployment;
let server: RunningServer;
let client: HoldfastClient;

beforeAll(async () => {
  made = await MembersDeployment.make(3, (configuration) => {
    configuration['limits'] = { requestTimeoutMs: 20_000, operationTimeoutMs: 1_000, reconcileCopiesPerSecond: 1_000 };
    configuration['recovery'] = { openTimeoutMs: 5_000, probeDelayMs: 100 };
  });
  await start();
  await made.connect(client);
});

afterEach(() => {
  for (const fault of made.faults) fault.heal();
});

afterAll(async () => {
  await server.stop();
  expect(made.deployment.findSecrets()).toEqual([]);
  made.dispose();
});

async function start(): Promise<void> {
  server = await made.deployment.start();
  client = server.client();
}

const rotate = (request: Message = {}) => client.call('RotatePin', { custom_key_store_id: made.storeId, ...request });
const phases = (...of: string[]) =>
  of.map((phase, index) => ({ member_name: 'abc'.charAt(index), phase: `PIN_PHASE_${phase}` }));
const complete = { complete: true, members: phases('NEW', 'NEW', 'NEW') };
const wrongLogins = () => made.faults.map((fault) => fault.counts('C_Login').failed);

function newPin(): string {
  const pin = randomPin();
  made.deployment.ledger.add('another PIN', pin);
  return pin;
}

/** Calls through these servers until `work` is done. @throws the first failure of a call */
async function whileCalling<T>(
  servers: readonly (RunningServer | SpawnedServer)[],
  work: () => Promise<T>,
): Promise<T> {
  const stopping = new AbortController();
  const callers = servers.flatMap((of) => [1, 2, 3].map(() => callUntil(of.client(), stopping.signal)));
  const called = Promise.all(callers);
  // A call that fails ends the work too.
  const worked = await Promise.race([work(), called.then(() => Promise.reject(new Error('The callers stopped.')))]);
  stopping.abort();
  await called;
  return worked;
}

async function callUntil(caller: HoldfastClient, stopping: AbortSignal): Promise<void> {
  while (!stopping.aborted) await made.encrypt(caller);
}

/** Resolves when all members take work. */
const whole = () =>
  eventually(async () => {
    if (!(await made.isWhole(client))) throw new Error('not yet');
  });

it('no call fails while the PIN of three members is rotated, and no login does', async () => {
  await whole();
  await whileCalling([server], async () => {
    expect(await rotate()).toMatchObject(complete);
    expect(await rotate({ key_store_password: newPin() })).toMatchObject(complete);
  });
  expect(wrongLogins()).toEqual([0, 0, 0]);
});

it('a member that goes away in the middle gets the PIN when it returns, and no call fails', async () => {
  const before = made.fault(0).counts('C_SetPIN').returned;
  await whileCalling([server], async () => {
    const rotated = rotate();
    await eventually(() => {
      expect(made.fault(0).counts('C_SetPIN').returned).toBeGreaterThan(before);
      made.fault(1).remove('device-error');
      return Promise.resolve();
    }, 1);
    expect(await rotated).toMatchObject({ pending_member_name: 'b', members: phases('NEW', 'OLD', 'NEW') });
    made.fault(1).restore();
    await eventually(async () => expect(await rotate()).toMatchObject(complete));
    await whole();
  });
  expect(wrongLogins()).toEqual([0, 0, 0]);
});

it('a member that refuses C_SetPIN keeps the rotation open, and no call fails', async () => {
  made.fault(1).obey('C_SetPIN rv 0xa2');
  await whileCalling([server], async () => {
    expect(await rotate()).toMatchObject({ pending_member_name: 'b', members: phases('NEW', 'OLD', 'OLD') });
    // Each member is logged in to with the PIN that it has.
    for (const fault of made.faults) {
      fault.loseLogin();
      await eventually(async () => expect(await made.isWhole(client)).toBe(false), 5);
      await whole();
    }
    made.fault(1).heal();
    expect(await rotate()).toMatchObject(complete);
  });
  expect(wrongLogins()).toEqual([0, 0, 0]);
});

it('a member that only says that it has the new PIN costs one login, and no call fails', async () => {
  made.fault(2).obey('C_SetPIN pretend');
  await whileCalling([server], async () => {
    expect(await rotate()).toMatchObject({ pending_member_name: 'c', members: phases('NEW', 'NEW', 'OLD') });
    made.fault(2).heal();
    expect(await rotate()).toMatchObject(complete);
  });
  expect(wrongLogins()).toEqual([0, 0, 1]);
});

/** Replaces the list of sealing keys in the configuration. */
function configureSealingKeys(...ids: string[]): void {
  const { configurationPath, folder } = made.deployment;
  const configuration = parse(readFileSync(configurationPath, 'utf8')) as Message;
  const fileOf = (id: string): string => (id === 'seal-1' ? 'sealing.key' : 'new-sealing.key');
  configuration['sealingKeys'] = ids.map((id) => ({ id, key: { file: join(folder, fileOf(id)) } }));
  writeFileSync(configurationPath, stringify(configuration));
}

it('both PINs of an open rotation are sealed anew, while two processes serve', async () => {
  const newKey = randomBytes(32);
  made.deployment.ledger.add('new sealing key', newKey);
  writeFileSync(join(made.deployment.folder, 'new-sealing.key'), newKey.toString('base64'), { mode: 0o600 });
  // Both PINs of this one are sealed under the old key.
  made.fault(1).remove('device-error');
  expect(await rotate()).toMatchObject({ pending_member_name: 'b' });
  await server.stop();
  configureSealingKeys('seal-2', 'seal-1');
  await start();
  await connectionState(client, made.storeId, 'CONNECTED');
  await eventually(() => made.encrypt(client));
  const other = await made.deployment.spawn({}, { configurationPath: configurationWithoutSocket() });
  await eventually(() => made.encrypt(other.client()));
  await whileCalling([server, other], async () => {
    const rotated = await client.call('RotateSealingKey');
    expect(rotated).toMatchObject({ sealing_key_id: 'seal-2', resealed_passwords: 1 });
    expect(rotated['unreadable_custom_key_store_ids'] ?? []).toEqual([]);
    // The new PIN of a, and the old one of b, are read for these logins.
    made.fault(0).loseLogin();
    made.fault(1).restore();
    await whole();
  });
  const before = wrongLogins();
  expect(await other.end('SIGTERM')).toBe(0);
  await server.stop();
  configureSealingKeys('seal-2');
  await start();
  await connectionState(client, made.storeId, 'CONNECTED');
  await eventually(async () => expect(await rotate()).toMatchObject(complete));
  await whole();
  await made.encrypt(client);
  expect(wrongLogins()).toEqual(before);
});

/** The configuration of a second process: a socket and an audit file have one owner. */
function configurationWithoutSocket(): string {
  const { configurationPath, folder } = made.deployment;
  const configuration = parse(readFileSync(configurationPath, 'utf8')) as Message & { listeners: Message[] };
  configuration.listeners = configuration.listeners.filter(({ kind }) => kind !== 'unix');
  configuration['audit'] = { file: join(folder, 'other-audit.log') };
  const path = join(folder, 'other.yaml');
  writeFileSync(path, stringify(configuration));
  return path;
}

it('a proving login that says nothing of the PIN leaves it undecided, however often it is asked, until an operator logs in', async () => {
  const before = wrongLogins();
  // The first login is with the old PIN, the second one proves the new one.
  made.fault(0).obey('C_Login after 1 times 1 rv 0x5');
  const pin = newPin();
  for (let again = 0; again < 2; again += 1) {
    expect(await rotate({ key_store_password: pin })).toMatchObject({
      ...{ pending_member_name: 'a', members: phases('CHANGING', 'NEW', 'NEW') },
    });
  }
  expect(wrongLogins().map((count, index) => count - (before[index] ?? 0))).toEqual([1, 0, 0]);
  await client.call('UpdateCustomKeyStore', { custom_key_store_id: made.storeId, key_store_password: pin });
  expect(await rotate()).toMatchObject(complete);
});

it('a member that lied in a rotation that was given up is not lost in the next one', async () => {
  const before = wrongLogins();
  made.fault(0).obey('C_SetPIN pretend');
  for (let rotation = 0; rotation < 2; rotation += 1) await expect(rotate()).rejects.toThrow('did not change it');
  made.fault(0).heal();
  expect(await rotate()).toMatchObject(complete);
  expect(wrongLogins().map((count, index) => count - (before[index] ?? 0))).toEqual([2, 0, 0]);
});
