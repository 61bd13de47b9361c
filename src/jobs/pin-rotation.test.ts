import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openTestCatalog } from '../../test/catalog-file.js';
import { ManualClock } from '../../test/manual-clock.js';
import type { NamedPin, PinChanges, PinTrialFailure } from '../clusters/pin-trials.js';
import { credentialVersionOf, isPasswordOf, sealPassword } from '../keystores/password.js';
import type { StoreRecord } from '../keystores/store.js';
import { Secret } from '../secret.js';
import { createPasswordSealer } from '../storage/password-sealer.js';
import type { SqliteCatalog } from '../storage/sqlite.js';
import { PinRotations } from './pin-rotation.js';

const [oldPin, newPin] = ['the old PIN', 'the new PIN'];
const memberNames = ['a', 'b', 'c'];
const place = { customKeyStoreId: 'cks-1', clusterId: 'cluster-1' };
const sealer = createPasswordSealer([{ id: 'one', key: new Secret(new Uint8Array(32).fill(1)) }]);
const sealed = (pin: string, passwordVersion: number) =>
  sealPassword(sealer, Secret.fromUtf8(pin), { ...place, passwordVersion });

class Killed extends Error {}

/** A token of a member: it has one PIN, and counts the wrong ones. */
interface Token {
  pin: string;
  wrongLogins: number;
  isAway: boolean;
  setPin: 'obeys' | 'refuses' | 'lies';
  /** What it answers to a login with the right PIN instead of success. */
  hasExpired: boolean;
}

/** Tokens behind the port, with its promise: a name that was refused is not tried again. */
class FakeTokens implements PinChanges {
  readonly tokens = new Map<string, Token>(
    memberNames.map((name) => [
      name,
      { pin: oldPin, wrongLogins: 0, isAway: false, setPin: 'obeys', hasExpired: false },
    ]),
  );
  readonly refused = new Set<string>();
  /** Called at every step of every process: throws to end the service there. */
  step: () => void = () => undefined;

  token(memberName: string): Token {
    const found = this.tokens.get(memberName);
    if (found === undefined) throw new Error(`no token ${memberName}`);
    return found;
  }

  tryPinOn({ memberName }: { memberName: string }, named: NamedPin): Promise<PinTrialFailure | undefined> {
    return this.#answer(memberName, () => this.#logIn(memberName, named));
  }

  changePin(
    { memberName }: { memberName: string },
    { present, next, beforeChange }: Parameters<PinChanges['changePin']>[1],
  ): Promise<PinTrialFailure | undefined> {
    return this.#answer(memberName, async () => {
      const failure = this.#logIn(memberName, present);
      if (failure !== undefined) return failure;
      this.step();
      await beforeChange();
      this.step();
      const token = this.token(memberName);
      if (token.setPin === 'refuses') return failed(memberName, 'NETWORK_ERRORS', true);
      if (token.setPin === 'obeys') token.pin = textOf(next);
      this.step();
      return undefined;
    });
  }

  async #answer(
    memberName: string,
    work: () => PinTrialFailure | undefined | Promise<PinTrialFailure | undefined>,
  ): Promise<PinTrialFailure | undefined> {
    this.step();
    if (this.token(memberName).isAway) return failed(memberName, 'CLUSTER_NOT_FOUND', true);
    const answer = await work();
    this.step();
    return answer;
  }

  #logIn(memberName: string, { pin, credentialVersion }: NamedPin): PinTrialFailure | undefined {
    const token = this.token(memberName);
    const name = `${memberName} ${credentialVersion}`;
    if (token.hasExpired) return failed(memberName, 'INVALID_CREDENTIALS', false);
    if (this.refused.has(name)) return wrong(memberName);
    if (textOf(pin) === token.pin) return undefined;
    this.refused.add(name);
    token.wrongLogins += 1;
    return wrong(memberName);
  }
}

const textOf = (pin: Secret): string => new TextDecoder().decode(pin.reveal());

function failed(memberName: string, errorCode: PinTrialFailure['errorCode'], transient: boolean): PinTrialFailure {
  return { memberName, errorCode, isWrongPin: false, transient, cause: new Error(errorCode) };
}

function wrong(memberName: string): PinTrialFailure {
  return { ...failed(memberName, 'INVALID_CREDENTIALS', false), isWrongPin: true };
}

let folder: string;
let catalog: SqliteCatalog;
let tokens: FakeTokens;
const clock = new ManualClock();

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-pin-rotation-'));
  await prepare('catalog.db');
});

afterEach(async () => {
  await catalog.close();
  rmSync(folder, { recursive: true });
});

/** A catalog with a connected store and a rotation that has begun, and tokens with the old PIN. */
async function prepare(file: string): Promise<void> {
  tokens = new FakeTokens();
  catalog = await openTestCatalog({ path: join(folder, file), clock });
  const store: StoreRecord = {
    ...{ account: '111122223333', region: 'eu', name: 'a store', trustAnchorCertificate: '', ...place },
    ...{ password: sealed(oldPin, 1), passwordVersion: 1, creationDate: clock.now() },
    ...{ connectionState: 'CONNECTED', connectionErrorCode: null },
  };
  await catalog.createStore(store, 10);
  await begin();
}

/** Records a rotation to the new PIN that no member has begun. */
async function begin(): Promise<void> {
  const members = memberNames.map((memberName) => ({ memberName, phase: 'old' as const, round: 0 }));
  const rotation = { ...place, passwordVersion: 2, password: sealed(newPin, 2), startedDate: clock.now(), members };
  expect(await catalog.beginPinRotation(rotation)).toBe(true);
}

/** A process of the service. */
function service(): PinRotations {
  return new PinRotations({
    ...{ catalog, passwordSealer: sealer, pinChanges: tokens, clock },
    audit: { perform: (_act, work) => work() },
    leases: { leases: catalog, clock, holder: 'one process' },
    onBackgroundError: (error) => expect(error).toBeInstanceOf(Killed),
  });
}

const advance = () => service().advance(place.customKeyStoreId, Number.MAX_SAFE_INTEGER);
const pins = () => memberNames.map((name) => tokens.token(name).pin);
const wrongLogins = () => memberNames.map((name) => tokens.token(name).wrongLogins);

async function phases(): Promise<Record<string, string>> {
  const [rotation] = await catalog.listPinRotations();
  return Object.fromEntries(rotation?.members.map(({ memberName, phase }) => [memberName, phase]) ?? []);
}

async function stored(): Promise<StoreRecord> {
  const store = await catalog.findStoreByCluster(place.clusterId);
  if (store === undefined) throw new Error('there is no store');
  return store;
}

async function expectComplete(): Promise<void> {
  expect(pins()).toEqual(memberNames.map(() => newPin));
  const store = await stored();
  expect(credentialVersionOf(store)).toBe('cks-1:2');
  expect(isPasswordOf(sealer, store, Secret.fromUtf8(newPin))).toBe(true);
  expect(await catalog.listPinRotations()).toEqual([]);
}

test('every member and the catalog get the new PIN, without a wrong login', async () => {
  expect(await advance()).toBeUndefined();
  await expectComplete();
  expect(wrongLogins()).toEqual([0, 0, 0]);
});

test('killed at any step, the next process completes it, and a wrong PIN costs each member one login at most', async () => {
  let steps = 0;
  tokens.step = () => void (steps += 1);
  await advance();
  expect(steps).toBeGreaterThan(15);
  for (let last = 1; last <= steps; last += 1) {
    await catalog.close();
    await prepare(`killed-${last}.db`);
    let count = 0;
    tokens.step = () => {
      if (++count === last) throw new Killed();
    };
    await expect(advance()).rejects.toThrow(Killed);
    tokens.step = () => undefined;
    expect(await advance(), `step ${last}`).toBeUndefined();
    await expectComplete();
    for (const count of wrongLogins()) expect(count, `step ${last}`).toBeLessThanOrEqual(1);
  }
});

describe('a member that is away', () => {
  test('keeps the rotation open, and gets the PIN when it returns', async () => {
    tokens.token('b').isAway = true;
    expect(await advance()).toMatchObject({ memberName: 'b' });
    expect(await phases()).toEqual({ a: 'new', b: 'old', c: 'new' });
    expect(credentialVersionOf(await stored())).toBe('cks-1:1');
    tokens.token('b').isAway = false;
    await service().runNow();
    await expectComplete();
    expect(wrongLogins()).toEqual([0, 0, 0]);
  });

  test('costs no login while it is away', async () => {
    tokens.token('b').isAway = true;
    for (let round = 0; round < 3; round += 1) await advance();
    tokens.token('b').isAway = false;
    await advance();
    await expectComplete();
  });
});

describe('a member that does not change its PIN', () => {
  test('because its token refuses the new one: the rotation is given up if no other has it', async () => {
    tokens.token('a').setPin = 'refuses';
    expect(await advance()).toMatchObject({ memberName: 'a', transient: false });
    expect(await catalog.listPinRotations()).toEqual([]);
    expect(pins()).toEqual(memberNames.map(() => oldPin));
    expect(wrongLogins()).toEqual([0, 0, 0]);
  });

  test('because its token refuses the new one: the rotation stays open if another has it', async () => {
    tokens.token('b').setPin = 'refuses';
    expect(await advance()).toMatchObject({ memberName: 'b' });
    expect(await phases()).toEqual({ a: 'new', b: 'old', c: 'old' });
    tokens.token('b').setPin = 'obeys';
    await advance();
    await expectComplete();
    expect(wrongLogins()).toEqual([0, 0, 0]);
  });

  test('although it says so: a login finds out, which is its only wrong one', async () => {
    tokens.token('a').setPin = 'lies';
    expect(await advance()).toMatchObject({ memberName: 'a' });
    expect(pins()).toEqual(memberNames.map(() => oldPin));
    expect(wrongLogins()).toEqual([1, 0, 0]);
  });

  test('and lies again in the next rotation, which has names of its own: it is not lost, and the third succeeds', async () => {
    for (let rotation = 0; rotation < 2; rotation += 1) {
      tokens.token('a').setPin = 'lies';
      expect(await advance()).toMatchObject({ memberName: 'a', transient: false });
      clock.advance(1);
      await begin();
    }
    tokens.token('a').setPin = 'obeys';
    expect(await advance()).toBeUndefined();
    await expectComplete();
    expect(wrongLogins()).toEqual([2, 0, 0]);
  });

  test('because its PIN has expired: the other one is not tried, and the other members go on', async () => {
    const token = tokens.token('a');
    tokens.step = () => {
      token.hasExpired = token.pin === newPin;
    };
    expect(await advance()).toMatchObject({ memberName: 'a' });
    expect(await phases()).toEqual({ a: 'changing', b: 'new', c: 'new' });
    expect(wrongLogins()).toEqual([0, 0, 0]);
    tokens.step = () => undefined;
    token.hasExpired = false;
    expect(await advance()).toBeUndefined();
    await expectComplete();
  });

  test('and has neither PIN: none is tried again', async () => {
    const token = tokens.token('a');
    tokens.step = () => {
      if (token.pin === newPin) token.pin = 'an officer reset it';
    };
    for (let round = 0; round < 3; round += 1) expect(await advance()).toMatchObject({ memberName: 'a' });
    expect(await phases()).toMatchObject({ a: 'lost' });
    expect(token.wrongLogins).toBe(2);
  });
});

test('a password that an operator sets ends the rotation', async () => {
  const [rotation] = await catalog.listPinRotations();
  const change = {
    name: undefined,
    clusterId: undefined,
    password: sealed('by hand', 2),
    passwordVersion: 2,
    rotation,
  };
  expect(await catalog.updateStore(place.customKeyStoreId, ['CONNECTED'], change)).toBe('updated');
  expect(await catalog.listPinRotations()).toEqual([]);
  expect(await advance()).toBeUndefined();
  expect(pins()).toEqual(memberNames.map(() => oldPin));
});

test('a password that was tried before the rotation began, or before it went on, does not end it', async () => {
  const untried = { name: undefined, clusterId: undefined, password: sealed('by hand', 2), passwordVersion: 2 };
  expect(await catalog.updateStore(place.customKeyStoreId, ['CONNECTED'], untried)).toBe('wrong-state');
  const [rotation] = await catalog.listPinRotations();
  tokens.token('b').isAway = true;
  await advance();
  expect(await catalog.updateStore(place.customKeyStoreId, ['CONNECTED'], { ...untried, rotation })).toBe(
    'wrong-state',
  );
  expect(await phases()).toEqual({ a: 'new', b: 'old', c: 'new' });
});

test('a rotation for a version that has passed is not begun', async () => {
  await advance();
  const rotation = {
    ...place,
    passwordVersion: 2,
    password: sealed('third', 2),
    startedDate: clock.now(),
    members: [],
  };
  expect(await catalog.beginPinRotation(rotation)).toBe(false);
});
