/** A server that is killed while it makes or repairs the copies of keys: nothing is lost, and nothing is left half-made. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { FaultHsm } from '../native/fault-hsm.js';
import type { HoldfastClient, Message } from './client.js';
import { eventually } from './deployment.js';
import { WrappedDeployment } from './wrapped-deployment.js';

/** Set by `npm run test:crash`. */
const full = process.env['HOLDFAST_CRASH'] === 'full';
const sweptRounds = full ? 25 : 3;
const createsInFlight = 3;
const timeoutMs = full ? 3_600_000 : 300_000;
/** A member, and a function in which a server is killed there. */
type Stop = readonly [member: number, functionName: string];
/** While a key is wrapped, unwrapped on another member, and proved there. In full: in every function that a create calls. */
const stoppedInCreate: Stop[] = [
  [0, 'C_WrapKey'],
  [1, 'C_UnwrapKey'],
  [2, 'C_DecryptInit'],
];
const stoppedInRepair: Stop[] = full
  ? [
      [0, 'C_WrapKey'],
      [2, 'C_FindObjectsInit'],
      [2, 'C_UnwrapKey'],
      [2, 'C_GetAttributeValue'],
      [2, 'C_DecryptInit'],
    ]
  : [[2, 'C_UnwrapKey']];

let wrapped: WrappedDeployment;

beforeAll(async () => {
  wrapped = await WrappedDeployment.make(3);
});
afterAll(() => {
  expect(wrapped.deployment.findSecrets()).toEqual([]);
  wrapped.dispose();
});

async function createAndRemember(client: HoldfastClient): Promise<void> {
  try {
    const created = (await client.call('CreateKey', {}))['key_metadata'] as Message;
    wrapped.accounting.acknowledged.add(created['key_id'] as string);
  } catch {
    // The server was killed, or too few members proved the key: nothing was acknowledged.
  }
}

/** One life of a server, until it is killed. */
async function life(creates: number, untilKilled: (creates: Promise<unknown>) => Promise<unknown>): Promise<number> {
  const server = await wrapped.deployment.spawn();
  const client = server.client();
  await server.defaultKeyStoreConnected(client);
  await everyMemberServes(client);
  const startedMs = performance.now();
  const created = Promise.all(Array.from({ length: creates }, () => createAndRemember(client)));
  await untilKilled(created);
  const tookMs = performance.now() - startedMs;
  expect(await server.end('SIGKILL')).toBe('SIGKILL');
  for (const { fault } of wrapped.members) fault.heal();
  await created;
  client.close();
  return tookMs;
}

function everyMemberServes(client: HoldfastClient): Promise<void> {
  return eventually(async () => {
    const { key_stores: keyStores } = await client.call('GetStatus');
    const [{ members }] = keyStores as [{ members: Message[] }];
    expect(members.map((member) => member['state'])).toEqual(wrapped.members.map(() => 'MEMBER_STATE_SERVING'));
  });
}

/** Every function that a member has been called with since its call of that number. */
function calledSince(numbers: readonly number[]): Stop[] {
  return wrapped.members.flatMap(({ fault }, member) => {
    const calls = fault.trace().filter(({ number }) => number > (numbers[member] ?? 0));
    return [...new Set(calls.map(({ functionName }) => functionName))].map((name): Stop => [member, name]);
  });
}

const lastCalls = (): number[] => wrapped.members.map(({ fault }) => fault.trace().at(-1)?.number ?? 0);

/** Resolves when a call of the function hangs there. */
async function stopIn(fault: FaultHsm, functionName: string): Promise<void> {
  const called = fault.calls(functionName);
  fault.obey(`${functionName} hang`);
  await eventually(() => (fault.calls(functionName) > called ? Promise.resolve() : Promise.reject(new Error())), 5);
}

it(
  'CreateKey killed at any instant loses no acknowledged key, and repair completes what was committed',
  async () => {
    let before: number[] = [];
    let called: Stop[] = [];
    const wholeMs = await life(createsInFlight, async (creates) => {
      before = lastCalls();
      await creates;
      called = calledSince(before);
    });
    expect(called).toEqual(expect.arrayContaining(stoppedInCreate));
    expect(wrapped.accounting.acknowledged.size).toBe(createsInFlight);
    wrapped.expectAllOnAll();
    for (let round = 0; round < sweptRounds; round += 1) {
      await life(createsInFlight, () => sleep(((round + 1) / (sweptRounds + 1)) * wholeMs));
      wrapped.expectAccounted();
    }
    for (const [index, functionName] of full ? called : stoppedInCreate) {
      await life(createsInFlight, () => stopIn(wrapped.member(index).fault, functionName));
      wrapped.expectAccounted();
    }
  },
  timeoutMs,
);

it(
  'a repair killed at any call is continued by the next server',
  async () => {
    wrapped.ageKeys();
    for (const [index, functionName] of stoppedInRepair) {
      wrapped.emptyMember(2);
      const { fault } = wrapped.member(index);
      const hangs = stopIn(fault, functionName);
      const server = await wrapped.deployment.spawn();
      await hangs;
      expect(await server.end('SIGKILL')).toBe('SIGKILL');
      fault.heal();
      wrapped.expectAccounted();
    }
    const server = await wrapped.deployment.spawn();
    const client = server.client();
    await server.defaultKeyStoreConnected(client);
    const keys = wrapped.accounting.readCatalog().keys.map(({ current_material_id: id }) => id ?? '');
    await eventually(async () => {
      expect(wrapped.onTokens()[2]).toEqual(expect.arrayContaining(keys));
      await sleep(100);
    }, 500);
    wrapped.expectAccounted();
    await wrapped.accounting.expectAllKeysWork(client);
    expect(await server.end('SIGTERM')).toBe(0);
  },
  timeoutMs,
);
