import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { clusterId, createHsmFixture, type HsmFixture, pin, soon } from '../../test/hsm/fixture.js';
import { systemClock } from '../clock-system.js';
import { Presence } from '../coordination/presence.js';
import { Secret } from '../secret.js';
import { lockDomain } from './lock-domain.js';
import { loadAddon, type NativeAddon, type NativePool, type NativeTokenInfo } from './native.js';

/** Lets a test change the tokens' description of themselves: no SoftHSM locks a PIN or lacks AES-GCM. */
let tokenSays: (token: NativeTokenInfo) => NativeTokenInfo;
/** Called when a PIN that the token has not judged yet is about to wait for its lock. */
let beforeLoginLock: () => void;
let fixture: HsmFixture;

const addon: NativeAddon = {
  ...loadAddon(),
  acquireLoginLock(...of) {
    beforeLoginLock();
    return loadAddon().acquireLoginLock(...of);
  },
  createPool(queueLimit): NativePool {
    const pool = loadAddon().createPool(queueLimit);
    const reopenMember: NativePool['reopenMember'] = async (member, deadlineMs) => {
      const opened = await pool.reopenMember(member, deadlineMs);
      return { ...opened, token: tokenSays(opened.token) };
    };
    const tokenInfo: NativePool['tokenInfo'] = async (...of) => tokenSays(await pool.tokenInfo(...of));
    return new Proxy(pool, {
      get(target, name) {
        if (name === 'reopenMember') return reopenMember;
        if (name === 'tokenInfo') return tokenInfo;
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  },
};

const withFlags = (flags: number) => (token: NativeTokenInfo) => ({ ...token, flags: token.flags | flags });
const countLow = 0x1_0000;
const finalTry = 0x2_0000;
const locked = 0x4_0000;
const serialNumber = async () => {
  const [token] = await addon.listTokens(fixture.fault.module, Number.MAX_SAFE_INTEGER);
  return token?.serialNumber ?? '';
};
const logins = () => fixture.fault.calls('C_Login');

beforeEach(async () => {
  tokenSays = (token) => token;
  beforeLoginLock = () => undefined;
  fixture = await createHsmFixture(addon);
});

afterEach(() => fixture.dispose());

describe('an unknown return value of C_Login', () => {
  /** After these no PIN was judged, so it may be tried again. */
  const mayTryAgain = [0x3, 0x30, 0x32, 0xa3, 0xa4, 0xb0, 0xb3, 0xe0, 0xe1, 0x100, 0x102, 0x103, 0x104, 0x105, 0x190];
  const vendors = [0x8000_0001, 0x8000_0011, 0x8000_0383, 0xce53_4351, 0x7fff];
  const answers = loadAddon()
    .returnValues()
    .map(({ value }) => value)
    .filter((value) => value !== 0);

  test('counts as refused: each PIN is tried once, whatever the code', { timeout: 120_000 }, async () => {
    const tried: Record<string, number> = {};
    for (const rv of [...answers, ...vendors].filter((value) => !mayTryAgain.includes(value))) {
      fixture.fault.obey(`C_Login rv ${rv}`);
      const before = logins();
      const attempt = { credentialVersion: `for ${rv}` };
      expect(await fixture.connect(attempt)).toMatchObject({ connected: false, errorCode: 'INVALID_CREDENTIALS' });
      await fixture.connect(attempt);
      tried[rv.toString(16)] = logins() - before;
    }
    expect(Object.entries(tried).filter(([, times]) => times !== 1)).toEqual([]);
  });

  test.each(mayTryAgain)('does not count as refused if it certainly means that no PIN was judged: 0x%i', async (rv) => {
    fixture.fault.obey(`C_Login times 1 rv ${rv}`);
    expect(await fixture.connect()).toMatchObject({ connected: false });
    expect(await fixture.connect()).toMatchObject({ connected: true });
  });
});

describe('a wrong PIN', () => {
  test('is tried once, over restarts too, until the credential changes', async () => {
    const refused = { connected: false, errorCode: 'INVALID_CREDENTIALS', transient: false };
    fixture.configure({ members: [fixture.member({ laneCount: 4 })] });
    expect(await fixture.connect({ pin: 'wrong pin' })).toMatchObject(refused);
    expect(logins()).toBe(1);
    fixture.configure({});
    expect(await fixture.connect({ pin: 'wrong pin' })).toMatchObject(refused);
    expect(await fixture.connect()).toMatchObject(refused);
    expect(logins()).toBe(1);
    expect(await fixture.connect({ credentialVersion: 'store:2' })).toMatchObject({ connected: true });
    expect(logins()).toBe(2);
  });

  test('is tried on one member only', async () => {
    fixture.configure({ members: [fixture.member({ name: 'one' }), fixture.member({ name: 'two' })] });
    expect(await fixture.connect({ pin: 'wrong pin' })).toMatchObject({ errorCode: 'INVALID_CREDENTIALS' });
    expect(logins()).toBe(1);
  });

  test('is tried once by processes that start together', async () => {
    const processes = Array.from({ length: 5 }, () => fixture.configure({}));
    const outcomes = await Promise.all(
      processes.map((clusters) => clusters.connect(clusterId, Secret.fromUtf8('wrong pin'), 'store:1', soon())),
    );
    expect(outcomes.every(({ connected }) => !connected)).toBe(true);
    expect(logins()).toBe(1);
  });
});

test('a PIN lock that cannot be made is not reported as a hanging login, and nothing is tried', async () => {
  beforeLoginLock = () => {
    // As with a full disk, or without a free file descriptor.
    throw Object.assign(new Error('lock: cannot open it'), { kind: 'lock', rv: 0, functionName: '' });
  };
  const outcome = await fixture.connect();
  expect(outcome).toMatchObject({ errorCode: 'NETWORK_ERRORS', transient: true });
  expect((outcome as { cause: unknown }).cause).toMatchObject({
    message: 'lock: cannot open it',
    behindHungLogin: false,
  });
  expect(logins()).toBe(0);
  beforeLoginLock = () => undefined;
  expect(await fixture.connect()).toMatchObject({ connected: true });
});

test('the correct PIN connects all that start together, although none knows it yet', async () => {
  const processes = Array.from({ length: 5 }, () => fixture.configure({}));
  const outcomes = await Promise.all(
    processes.map((clusters) => clusters.connect(clusterId, Secret.fromUtf8(pin), 'store:1', soon())),
  );
  expect(outcomes.every(({ connected }) => connected)).toBe(true);
});

describe('a token that is locked or about to lock', () => {
  test.each([
    ['at the final try', finalTry],
    ['locked', locked],
  ])('%s: nothing is tried', async (_case, flags) => {
    tokenSays = withFlags(flags);
    expect(await fixture.connect()).toMatchObject({ errorCode: 'USER_LOCKED_OUT', transient: false });
    expect(logins()).toBe(0);
    tokenSays = (token) => token;
    expect(await fixture.connect()).toMatchObject({ connected: true });
  });

  test.each([
    [0xa4, 'USER_LOCKED_OUT'],
    [0x102, 'USER_NOT_FOUND'],
    [0x103, 'USER_NOT_FOUND'],
    [0xa2, 'INVALID_CREDENTIALS'],
  ])('C_Login answers %i: %s', async (rv, errorCode) => {
    fixture.fault.obey(`C_Login rv ${rv}`);
    expect(await fixture.connect()).toMatchObject({ errorCode, transient: false });
  });
});

describe('an attempt with an unknown outcome', () => {
  test('is taken over after a device error while the PIN count is not low', async () => {
    fixture.fault.obey('C_Login rv 0x30');
    expect(await fixture.connect()).toMatchObject({ errorCode: 'NETWORK_ERRORS', transient: true });
    fixture.fault.heal();
    tokenSays = withFlags(countLow);
    expect(await fixture.connect()).toMatchObject({ errorCode: 'INVALID_CREDENTIALS' });
    expect(logins()).toBe(1);
    tokenSays = (token) => token;
    expect(await fixture.connect()).toMatchObject({ connected: true });
  });

  test('is not taken over if it comes back refused while another waits for its lock', async () => {
    fixture.fault.obey('C_Login hang');
    const deadlineMs = systemClock.monotonicMs() + 500;
    const first = await fixture.clusters().connect(clusterId, Secret.fromUtf8('wrong pin'), 'store:1', deadlineMs);
    expect(first).toMatchObject({ errorCode: 'NETWORK_ERRORS' });
    beforeLoginLock = () => {
      fixture.fault.heal();
    };
    expect(await fixture.connect({ pin: 'wrong pin' })).toMatchObject({ errorCode: 'INVALID_CREDENTIALS' });
    expect(logins()).toBe(1);
  });

  test('is taken over after a crash between claim and login', async () => {
    const crashed = { processName: 'crashed', lockDomain: 'another host' };
    await fixture.catalog.claim(await serialNumber(), 'store:1', crashed, new Date());
    tokenSays = withFlags(countLow);
    expect(await fixture.connect()).toMatchObject({ errorCode: 'INVALID_CREDENTIALS' });
    expect(logins()).toBe(0);
    tokenSays = (token) => token;
    expect(await fixture.connect()).toMatchObject({ connected: true });
  });
});

test('a PIN that another host tries is not tried here, until that process is certainly dead or has reported the outcome', async () => {
  const elsewhere = { processName: 'elsewhere', lockDomain: 'another host' };
  await new Presence(fixture.catalog, elsewhere.processName).beat();
  await fixture.catalog.claim(await serialNumber(), 'store:1', elsewhere, new Date());
  expect(await fixture.connect()).toMatchObject({ errorCode: 'NETWORK_ERRORS', transient: true });
  expect(logins()).toBe(0);
  await fixture.catalog.record(await serialNumber(), 'store:1', elsewhere, 'succeeded');
  expect(await fixture.connect()).toMatchObject({ connected: true });
  expect(logins()).toBe(1);
});

test('a wrong PIN is tried once by hosts that start together, and the right one connects them all', async () => {
  const hosts = ['a', 'b', 'c', 'd'].map((name) => fixture.onAnotherHost(name));
  const connectAll = (tried: string, version: string) =>
    Promise.all(hosts.map((host) => host.connect(clusterId, Secret.fromUtf8(tried), version, soon())));
  await connectAll('wrong pin', 'store:1');
  expect(logins()).toBe(1);
  for (const outcome of await connectAll('wrong pin', 'store:1'))
    expect(outcome).toMatchObject({ errorCode: 'INVALID_CREDENTIALS', transient: false });
  expect(logins()).toBe(1);
  const refusals = ['INVALID_CREDENTIALS', 'USER_LOCKED_OUT'];
  for (const host of hosts) {
    const outcome = await host.connect(clusterId, Secret.fromUtf8(pin), 'store:2', soon());
    expect(refusals).not.toContain((outcome as { errorCode?: string }).errorCode);
    expect(outcome).toMatchObject({ connected: true });
  }
});

test('each folder of locks is a domain of its own', async () => {
  const [one, other] = [tmpdir(), dirname(tmpdir())];
  const domain = (folder: string, name = 'a process') => lockDomain(folder, systemClock, name);
  expect(await domain(one)).toBe(await domain(one, 'another process'));
  expect(await domain(one)).not.toBe(await domain(other));
});

test('a token without AES-GCM is refused for that reason, before any login', async () => {
  tokenSays = (token) => ({ ...token, mechanisms: token.mechanisms.filter((mechanism) => mechanism !== 0x1087) });
  const outcome = await fixture.connect();
  expect(outcome).toMatchObject({ errorCode: 'INTERNAL_ERROR', transient: false });
  expect(String((outcome as { cause: unknown }).cause)).toContain('CKM_AES_GCM');
  expect(logins()).toBe(0);
});

test('no outcome contains the PIN', async () => {
  const outcome = await fixture.connect({ pin: `${pin} wrong` });
  const { cause } = outcome as { cause: Error };
  expect(`${cause.message} ${String(cause.cause)} ${cause.stack ?? ''}`).not.toContain(pin);
});
