import { secretKeyClass } from '../../src/hsm/material-cache.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NativeFailure, NativeFailureKind, NativePool } from '../../src/hsm/native.js';
import { nativeProfile } from '../../src/hsm/profiles/effective-profile.js';
import { vendorProfiles } from '../../src/hsm/profiles/profiles.js';
import type { PromisePool } from './promise-pool.js';
import { createSoftHsm, type SoftHsm } from '../softhsm.js';
import { putFaultsBefore } from './fault-hsm.js';
import { addon, connect, makeKey, memberOptions, moduleOf, soon, text } from './fixture.js';
import type { TestKey } from './fixture.js';

/**
 * Every method of a pool × {open, draining, closed}. A method without a row does not compile; one that only the addon
 * has fails.
 */

type Outcome = 'works' | Extract<NativeFailureKind, 'closed' | 'material-missing' | 'material-mismatch'>;

interface Row {
  call: (pool: PromisePool, key: TestKey) => unknown;
  open: Outcome;
  draining: Outcome;
  closed: Outcome;
}

const empty = new Uint8Array(0);
const unknownId = new Uint8Array(32);
const profile = nativeProfile(vendorProfiles.softhsm, []);
const refusedWhenClosing = { open: 'works', draining: 'closed', closed: 'closed' } as const;
const always = { open: 'works', draining: 'works', closed: 'works' } as const;

let hsm: SoftHsm;
beforeAll(() => {
  hsm = createSoftHsm({ tokens: [{ label: 'alpha', userPin: '1234' }] });
});
afterAll(() => {
  hsm.dispose();
});

const options = () => memberOptions(moduleOf(hsm), 'alpha');

const matrix: Record<keyof NativePool, Row> = {
  setOperationTimeout: { call: (pool) => pool.setOperationTimeout(1_000, () => undefined), ...refusedWhenClosing },
  addMember: { call: (pool) => pool.addMember(options()), ...refusedWhenClosing },
  openMember: { call: (pool) => pool.openMember(options(), soon()), ...refusedWhenClosing },
  setProfile: { call: (pool) => pool.setProfile(0, profile, 2), ...refusedWhenClosing },
  reopenMember: { call: (pool) => pool.reopenMember(0, soon()), ...refusedWhenClosing },
  loginMember: { call: (pool) => pool.loginMember(0, text('1234'), soon(), null), ...refusedWhenClosing },
  inventory: { call: (pool) => pool.inventory(0, soon()), ...refusedWhenClosing },
  tokenInfo: { call: (pool) => pool.tokenInfo(0, soon()), ...refusedWhenClosing },
  suspend: { call: (pool) => pool.suspend(0), ...refusedWhenClosing },
  resume: { call: (pool) => pool.resume(0), ...refusedWhenClosing },
  detachMember: { call: (pool) => pool.detachMember(0, soon()), ...refusedWhenClosing },
  closeMember: { call: (pool) => pool.closeMember(0, soon()), ...refusedWhenClosing },
  close: { call: (pool) => pool.close(soon()), ...always },
  generateKey: {
    call: (pool) => pool.generateKey(0, new Uint8Array(32).fill(7), 'x', text('known'), empty, false, soon()),
    ...refusedWhenClosing,
  },
  generateMacKey: {
    call: (pool) => pool.generateMacKey(0, new Uint8Array(32).fill(8), 'x', 32, false, soon()),
    ...refusedWhenClosing,
  },
  destroyKey: { call: (pool) => pool.destroyKey(0, secretKeyClass, unknownId, soon()), ...refusedWhenClosing },
  readAttributes: {
    call: (pool, key) => pool.readAttributes(0, secretKeyClass, key.id, soon()),
    ...refusedWhenClosing,
  },
  generations: { call: (pool) => pool.generations(0, 'cluster-x', soon()), ...refusedWhenClosing },
  probe: { call: (pool, key) => pool.probe(0, key.reference, soon()), ...refusedWhenClosing },
  // The token has no wrapping keys.
  wrapKey: {
    call: (pool, key) => pool.wrapKey(0, key.reference, 'cluster-1a2b3c4d5e6', 1, soon()),
    ...refusedWhenClosing,
    open: 'material-missing',
  },
  unwrapKey: {
    call: (pool, key) => pool.unwrapKey(0, key.reference, 'cluster-1a2b3c4d5e6', 1, new Uint8Array(40), false, soon()),
    ...refusedWhenClosing,
    open: 'material-missing',
  },
  backupMac: {
    call: (pool) => pool.backupMac(0, 'cluster-1a2b3c4d5e6', 1, new Uint8Array(8), soon()),
    ...refusedWhenClosing,
    open: 'material-missing',
  },
  proveBlob: {
    call: (pool, key) => pool.proveBlob(0, key.reference, 'cluster-1a2b3c4d5e6', 1, new Uint8Array(40), soon()),
    ...refusedWhenClosing,
    open: 'material-missing',
  },
  witnesses: { call: (pool) => pool.witnesses(0, 'cluster-x', soon()), ...refusedWhenClosing },
  writeWitness: {
    call: (pool) => {
      const witness = { incarnation: new Uint8Array(16), epoch: 1, writtenMs: 1, deployment: 'x' };
      return pool.writeWitness(0, 'cluster-x', witness, soon());
    },
    ...refusedWhenClosing,
  },
  resolveDuplicates: { call: (pool, key) => pool.resolveDuplicates(0, key.reference, soon()), ...refusedWhenClosing },
  rewrapBlob: {
    call: (pool, key) => pool.rewrapBlob(0, key.reference, 'cluster-1a2b3c4d5e6', 1, new Uint8Array(40), 2, soon()),
    ...refusedWhenClosing,
    open: 'material-missing',
  },
  encrypt: { call: (pool, key) => pool.encrypt(null, key.reference, text('x'), empty, soon()), ...refusedWhenClosing },
  decrypt: {
    call: (pool, { material, reference }) =>
      pool.decrypt(
        null,
        reference,
        material.canaryNonce,
        material.canaryCiphertext,
        material.canaryAdditionalData,
        soon(),
      ),
    ...refusedWhenClosing,
  },
  generateDataKey: {
    call: (pool, key) => pool.generateDataKey(null, key.reference, 32, empty, soon()),
    ...refusedWhenClosing,
  },
  // The key is not one for MACs.
  mac: {
    call: (pool, key) => pool.mac(null, key.reference, text('x'), null, soon()),
    ...refusedWhenClosing,
    open: 'material-mismatch',
  },
  random: { call: (pool) => pool.random(null, 8, soon()), ...refusedWhenClosing },
  cancel: { call: (pool) => pool.cancel(pool.lastTicket()), ...always },
  statistics: { call: (pool) => pool.statistics(), ...always },
};
const methods = Object.keys(matrix) as (keyof NativePool)[];

/** The outcome of a call, thrown or rejected. */
async function outcomeOf(call: () => unknown): Promise<string> {
  try {
    await call();
    return 'works';
  } catch (thrown) {
    const failure = thrown as NativeFailure;
    return failure.kind;
  }
}

async function connected(module = moduleOf(hsm)): Promise<{ pool: PromisePool; key: TestKey }> {
  const pool = addon.createPool(100);
  await connect(pool, memberOptions(module, 'alpha', { laneCount: 1 }), '1234');
  return { pool, key: await makeKey(pool, 0) };
}

test('the addon has the methods of the matrix, and no others', () => {
  const prototype = Object.getPrototypeOf(addon.createPool(1)) as object;
  const ofAddon = Object.getOwnPropertyNames(prototype).filter((name) => name !== 'constructor');
  expect(ofAddon.sort()).toEqual([...methods].sort());
});

describe('an open pool', () => {
  test.each(methods)('%s', async (method) => {
    const { pool, key } = await connected();
    expect(await outcomeOf(() => matrix[method].call(pool, key))).toBe(matrix[method].open);
    expect(await pool.close(soon())).toBe(0);
  });
});

describe('a draining pool', () => {
  test('answers as its rows say, while accepted work continues', async () => {
    const fault = putFaultsBefore(hsm);
    const { pool, key } = await connected(fault.module);
    fault.obey('C_Decrypt times 1 hang');
    const accepted = matrix.decrypt.call(pool, key) as Promise<unknown>;
    await expect.poll(() => fault.inside('C_Decrypt'), { timeout: 10_000 }).toBe(1);
    let drained = false;
    const closing = pool.close(soon()).then((threads) => {
      drained = true;
      return threads;
    });
    for (const method of methods.filter((name) => name !== 'close')) {
      expect(await outcomeOf(() => matrix[method].call(pool, key)), method).toBe(matrix[method].draining);
    }
    const again = outcomeOf(() => matrix.close.call(pool, key));
    expect(drained).toBe(false);
    fault.release();
    await accepted;
    expect(await closing).toBe(0);
    expect(await again).toBe(matrix.close.draining);
  });
});

describe('a closed pool', () => {
  test.each(methods)('%s', async (method) => {
    const { pool, key } = await connected();
    expect(await pool.close(soon())).toBe(0);
    expect(await outcomeOf(() => matrix[method].call(pool, key))).toBe(matrix[method].closed);
  });
});
