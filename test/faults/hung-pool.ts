/**
 * Two tokens behind one fault-injecting module, one member of a pool each: one with the hanging call, and its
 * neighbour.
 */
import { secretKeyClass } from '../../src/hsm/material-cache.js';
import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import type { NativeModuleOptions } from '../../src/hsm/native.js';
import type { PromisePool } from '../native/promise-pool.js';
import { createSoftHsm, type SoftHsm } from '../softhsm.js';
import { type FaultHsm, putFaultsBefore } from '../native/fault-hsm.js';
import { addon, connect, inMilliseconds, makeKey, memberOptions, soon, type TestKey, text } from '../native/fixture.js';
import { waitFor } from '../wait-for.js';

const pin = '1234';
/** A healthy call on a busy machine, with a margin. */
const callMs = 400;
const operationTimeoutMs = 300;
const openingMs = 2_000;
/** One more than the nonces that a lane draws ahead (native/src/nonces.h), so that a lane must draw again. */
const nonceBlockAndOne = 65;

export interface HungPool {
  hsm: SoftHsm;
  fault: FaultHsm;
  pool: PromisePool;
  ill: number;
  well: number;
  key: TestKey;
  dispose(): Promise<void>;
}

/** Both members serve. */
export async function hungPool(privateInstance: boolean): Promise<HungPool> {
  const hsm = createSoftHsm({
    tokens: [
      { label: 'alpha', userPin: pin },
      { label: 'beta', userPin: pin },
    ],
  });
  const fault = putFaultsBefore(hsm);
  const module: NativeModuleOptions = { ...fault.module, privateInstance };
  // One member's requests may fill half of it: a block of encryptions has room.
  const pool = addon.createPool(4 * nonceBlockAndOne);
  pool.setOperationTimeout(operationTimeoutMs, () => undefined);
  const ill = await connect(pool, memberOptions(module, 'alpha'), pin);
  const well = await connect(pool, memberOptions(module, 'beta'), pin);
  const key = await makeKey(pool, ill);
  const dispose = async (): Promise<void> => {
    fault.heal();
    expect(await pool.close(soon())).toBe(0);
    hsm.dispose();
  };
  return { hsm, fault, pool, ill, well, key, dispose };
}

const within = (): number => inMilliseconds(callMs);
const empty = new Uint8Array(0);
const canaryOf = ({ material }: TestKey) =>
  [material.canaryNonce, material.canaryCiphertext, material.canaryAdditionalData] as const;

const encryptOnce = ({ pool, ill, key }: HungPool) => pool.encrypt(ill, key.reference, text('x'), empty, within());
/** The operations for the member that will be ill, by the name of the call. */
export const callers = {
  reopen: ({ pool, ill }: HungPool) => pool.reopenMember(ill, inMilliseconds(openingMs)),
  login: ({ pool, ill }: HungPool) => pool.loginMember(ill, text(pin), within(), null),
  inventory: ({ pool, ill }: HungPool) => pool.inventory(ill, within()),
  tokenInfo: ({ pool, ill }: HungPool) => pool.tokenInfo(ill, within()),
  random: ({ pool, ill }: HungPool) => pool.random(ill, 8, within()),
  probe: ({ pool, ill, key }: HungPool) => pool.probe(ill, key.reference, within()),
  encrypt: encryptOnce,
  encryptMany: (rig: HungPool) => Promise.all(Array.from({ length: nonceBlockAndOne }, () => encryptOnce(rig))),
  decrypt: ({ pool, ill, key }: HungPool) => pool.decrypt(ill, key.reference, ...canaryOf(key), within()),
  generateKey: ({ pool, ill }: HungPool) =>
    pool.generateKey(ill, randomBytes(32), 'another', text('known'), empty, false, within()),
  destroyKey: ({ pool, ill, key }: HungPool) => pool.destroyKey(ill, secretKeyClass, key.id, within()),
};
export type CallerName = keyof typeof callers;

/** Every function that the addon calls, with each kind of call that reaches it. */
export const waysInto: Record<string, readonly CallerName[]> = {
  C_Initialize: ['reopen'],
  C_Finalize: ['reopen'],
  C_GetSlotList: ['reopen'],
  C_GetInfo: ['reopen', 'tokenInfo'],
  C_GetTokenInfo: ['reopen', 'tokenInfo', 'inventory'],
  C_GetMechanismList: ['reopen', 'tokenInfo'],
  C_OpenSession: ['inventory'],
  C_CloseSession: ['reopen', 'inventory'],
  C_GetSessionInfo: ['login', 'inventory'],
  C_Login: ['login'],
  C_FindObjectsInit: ['inventory', 'probe', 'destroyKey'],
  C_FindObjects: ['inventory', 'probe'],
  C_FindObjectsFinal: ['inventory', 'probe'],
  C_GetAttributeValue: ['inventory', 'probe'],
  C_GenerateRandom: ['random', 'encryptMany'],
  C_EncryptInit: ['encrypt'],
  C_Encrypt: ['encrypt'],
  C_DecryptInit: ['decrypt', 'probe'],
  C_Decrypt: ['decrypt'],
  C_GenerateKey: ['generateKey'],
  C_DestroyObject: ['destroyKey'],
};

/** The outcome of a call: its failure's kind, or `answered`. */
export async function kindOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'answered',
    (failure: unknown) => (failure as { kind: string }).kind,
  );
}

/** Everything that a member does for callers, in new sessions and old ones. */
export async function serves({ pool }: HungPool, member: number): Promise<void> {
  const made = await makeKey(pool, member);
  await pool.probe(member, made.reference, soon());
  await pool.inventory(member, soon());
  await pool.destroyKey(member, secretKeyClass, made.id, soon());
}

/** One attempt like recovery's. @returns the obstacle, or `back` */
export async function comesBack(rig: HungPool): Promise<string> {
  const { pool, ill } = rig;
  const steps = [
    () => pool.reopenMember(ill, inMilliseconds(openingMs)),
    () => pool.loginMember(ill, text(pin), inMilliseconds(openingMs), null),
    () => pool.inventory(ill, inMilliseconds(openingMs)),
  ];
  for (const step of steps) {
    const kind = await kindOf(step());
    if (kind !== 'answered') return kind;
  }
  pool.resume(ill);
  await serves(rig, ill);
  return 'back';
}

/** Waits until a call hangs in the function. */
export async function hangsIn({ fault }: HungPool, functionName: string): Promise<void> {
  await waitFor(() => expect(fault.inside(functionName)).toBeGreaterThan(0));
}
