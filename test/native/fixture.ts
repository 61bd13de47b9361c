/** The common beginning of every addon test: a token, a pool with logged-in members, a key with its canary. */
import { secretKeyClass } from '../../src/hsm/material-cache.js';
import { randomBytes } from 'node:crypto';
import {
  loadAddon,
  type NativeFailure,
  type NativeMaterial,
  type NativeMaterialReference,
  type NativeMemberOptions,
  type NativeModuleOptions,
  type NativePool,
} from '../../src/hsm/native.js';
import type { SoftHsm } from '../softhsm.js';
import { type PromisePool, promisePool } from './promise-pool.js';

const native = loadAddon();

/** The addon, with pools whose data operations give promises. */
export const addon = {
  ...native,
  createPool: (queueLimit: number): PromisePool => promisePool(native.createPool(queueLimit)),
};

/** The methods of both kinds of pool. */
type ControlMethods = Pick<
  NativePool,
  'openMember' | 'loginMember' | 'inventory' | 'resume' | 'generateKey' | 'generateMacKey'
>;

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** Absolute, as the seam requires. */
export function inMilliseconds(milliseconds: number): number {
  return Number(process.hrtime.bigint()) / 1e6 + milliseconds;
}

/** Long enough for every call that should succeed. */
export const soon = (): number => inMilliseconds(20_000);

export function moduleOf(hsm: SoftHsm, overrides: Partial<NativeModuleOptions> = {}): NativeModuleOptions {
  const { libraryPath, environment } = hsm;
  return { libraryPath, privateInstance: true, environment, initializationString: null, ...overrides };
}

export function memberOptions(
  module: NativeModuleOptions,
  tokenLabel: string,
  overrides: Partial<NativeMemberOptions> = {},
): NativeMemberOptions {
  return {
    module,
    tokenLabel,
    tokenSerialNumber: null,
    laneCount: 2,
    maxQuarantinedLanes: 2,
    maxStuckOpenings: 2,
    ...overrides,
  };
}

/** Opens, logs in, takes the inventory, and admits the member. */
export async function connect(pool: ControlMethods, options: NativeMemberOptions, pin: string): Promise<number> {
  const { member } = await pool.openMember(options, soon());
  await pool.loginMember(member, text(pin), soon(), null);
  await pool.inventory(member, soon());
  pool.resume(member);
  return member;
}

export interface TestKey {
  id: Uint8Array;
  label: string;
  material: NativeMaterial;
  reference: NativeMaterialReference;
}

/** Generates a key on a member, with its canary. */
export async function makeKey(pool: ControlMethods, member: number, label = 'key'): Promise<TestKey> {
  return plantKey(pool, member, new Uint8Array(randomBytes(32)), label);
}

/** Makes a key with a given id, even one that another key has. */
export async function plantKey(pool: ControlMethods, member: number, id: Uint8Array, label: string): Promise<TestKey> {
  const canaryPlaintext = new Uint8Array(randomBytes(32));
  const canaryAdditionalData = text('canary');
  const { value } = await pool.generateKey(member, id, label, canaryPlaintext, canaryAdditionalData, false, soon());
  const canary = {
    canaryMac: null,
    canaryNonce: value.nonce,
    canaryCiphertext: value.ciphertext,
    canaryAdditionalData,
    canaryPlaintext,
  };
  const material = { objectClass: secretKeyClass, id, label, extractable: false, ...canary };
  return { id, label, material, reference: addon.createMaterial(material) };
}

const none = new Uint8Array();

/** Makes a key for MACs, with its MAC of the empty message. */
export async function makeMacKey(pool: ControlMethods, member: number, length = 32): Promise<TestKey> {
  const [id, label] = [new Uint8Array(randomBytes(32)), 'mac key'];
  const { value: canaryMac } = await pool.generateMacKey(member, id, label, length, false, soon());
  const canary = { canaryMac, canaryNonce: none, canaryCiphertext: none, canaryAdditionalData: none };
  const material = { objectClass: secretKeyClass, id, label, extractable: false, ...canary, canaryPlaintext: none };
  return { id, label, material, reference: addon.createMaterial(material) };
}

/** The failure that a promise is rejected with; an error if it is not. */
export async function failureOf(promise: Promise<unknown>): Promise<NativeFailure> {
  try {
    await promise;
  } catch (error) {
    return error as NativeFailure;
  }
  throw new Error('the promise was expected to be rejected');
}
