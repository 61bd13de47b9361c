/**
 * Checks that catalog and token agree after a server was killed: every key has its material, every object has its row.
 */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect } from 'vitest';
import type { BootTime, Clock, ScheduledTask } from '../../src/clock.js';
import { systemClock } from '../../src/clock-system.js';
import { movedBoot } from '../moved-boot.js';
import { type TokenObject, TokenReader } from '../token-reader.js';
import type { HoldfastClient } from './client.js';
import { type Deployment, eventually } from './deployment.js';

const minuteMs = 60_000;
/** A server that was killed under a lease keeps the others from that work until the lease expires, after 30 s. */
const leasePollMs = 500;

/** The machine's clocks, with a wall clock that a test moves. */
export class MovedClock implements Clock {
  offsetMs = 0;
  now = (): Date => new Date(systemClock.now().getTime() + this.offsetMs);
  monotonicMs = (): number => systemClock.monotonicMs();
  boot = (): BootTime => movedBoot(this.offsetMs);
  schedule = (delayMs: number, task: () => void): ScheduledTask => systemClock.schedule(delayMs, task);
}

/**
 * SoftHSM writes a new object in steps. Killed between the first ones it leaves an empty object: it is not yet a token
 * object, has neither id nor label nor value, and contains no key.
 */
export function isShell(object: TokenObject): boolean {
  const hasValue = typeof object['CKA_VALUE_LEN'] === 'number' && object['CKA_VALUE_LEN'] > 0;
  return object.CKA_ID === '' && object.CKA_LABEL === '' && object['CKA_TOKEN'] !== true && !hasValue;
}

/** The accounts of the default cluster. */
export class Accounting {
  /** Ids of keys in answers to callers. */
  readonly acknowledged = new Set<string>();
  readonly #deployment: Deployment;
  readonly #token: TokenReader;

  constructor(deployment: Deployment) {
    this.#deployment = deployment;
    const { softHsm, defaultCluster } = deployment;
    this.#token = new TokenReader(softHsm, defaultCluster.tokenLabel, defaultCluster.pin);
  }

  /**
   * Every row of the catalog that accounts for a material: its key, its intent, and its reserved encryptions.
   */
  readCatalog() {
    const database = new Database(join(this.#deployment.folder, 'catalog.sqlite'), { readonly: true });
    try {
      expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
      expect(database.pragma('foreign_key_check')).toEqual([]);
      const all = <Row = Record<string, string>>(query: string) => database.prepare(query).all() as Row[];
      return {
        keys: all('select key_id, current_material_id, state from keys'),
        materials: all('select material_id, key_id from materials where destroyed_date is null'),
        intents: all('select material_id, state from intents'),
        reservations: new Map(
          all<{ id: string; count: number }>(
            'select material_id as id, reserved_encryptions as count from encryption_reservations',
          ).map(({ id, count }) => [id, count]),
        ),
      };
    } finally {
      database.close();
    }
  }

  /** The `CKA_ID` of every key on the token. */
  onToken(): string[] {
    return this.#token
      .secretKeys()
      .filter((object) => !isShell(object))
      .map(({ CKA_ID }) => CKA_ID);
  }

  /** Every object with a key has one row that accounts for it; every key has its material, which has its object. */
  expectAccounted(): void {
    const { keys, materials, intents } = this.readCatalog();
    const objects = this.onToken();
    const ofKeys = materials.map(({ material_id: id }) => id ?? '');
    const ofIntents = intents.filter(({ state }) => state !== 'destroyed').map(({ material_id: id }) => id ?? '');
    expect(new Set(objects).size).toBe(objects.length);
    expect(objects.filter((id) => !ofKeys.includes(id) && !ofIntents.includes(id))).toEqual([]);
    expect(ofKeys.filter((id) => ofIntents.includes(id))).toEqual([]);
    const living = keys.filter(({ state }) => state !== 'Deleting' && state !== 'Deleted');
    const current = living.map(({ current_material_id: id }) => id ?? '');
    expect(current.filter((id) => !objects.includes(id))).toEqual([]);
    expect(current.filter((id) => !ofKeys.includes(id))).toEqual([]);
    const ofLiving = materials.filter(({ key_id: keyId }) => living.some(({ key_id: id }) => id === keyId));
    expect(ofLiving.map(({ material_id: id }) => id ?? '').sort()).toEqual([...current].sort());
    const known = new Set(keys.map(({ key_id: id }) => id));
    expect([...this.acknowledged].filter((keyId) => !known.has(keyId))).toEqual([]);
  }

  /** Whether every enabled key of the catalog, acknowledged or not, encrypts and decrypts. */
  async expectAllKeysWork(client: HoldfastClient): Promise<void> {
    for (const { key_id: keyId, state } of this.readCatalog().keys) {
      if (state !== 'Enabled') continue;
      const plaintext = Buffer.from(`what key ${keyId} protects`);
      const encrypted = await client.call('Encrypt', { key_id: keyId, plaintext });
      const decrypted = await client.call('Decrypt', { ciphertext_blob: encrypted['ciphertext_blob'] });
      expect(Buffer.from(decrypted['plaintext'] as Uint8Array).equals(plaintext)).toBe(true);
    }
  }

  /**
   * Intents that are too old are abandoned, left alone for their quarantine, and then their material is destroyed; keys
   * whose destruction was interrupted are removed too.
   */
  async cleanUp(): Promise<void> {
    const clock = new MovedClock();
    const running = await this.#deployment.start({ clock });
    const { server } = running;
    const client = running.client();
    await running.defaultKeyStoreConnected(client);
    const materialIds = () => this.readCatalog().materials.map(({ material_id: id }) => id ?? '');
    const intentStates = () => new Set(this.readCatalog().intents.map(({ state }) => state));
    const recovered = (state: string) =>
      eventually(async () => {
        await server.intentRecovery.runNow();
        expect(intentStates()).toEqual(new Set([state]));
      }, leasePollMs);
    const orphans = this.onToken().filter((id) => !materialIds().includes(id));
    clock.offsetMs = 11 * minuteMs;
    await recovered('abandoned');
    expect(this.onToken()).toEqual(expect.arrayContaining(orphans));
    clock.offsetMs += 59 * minuteMs;
    await server.intentRecovery.runNow();
    expect(this.onToken()).toEqual(expect.arrayContaining(orphans));
    clock.offsetMs += 2 * minuteMs;
    await recovered('destroyed');
    await eventually(async () => {
      await server.keyDeletion.runNow();
      expect(this.readCatalog().keys.filter(({ state }) => state === 'Deleting')).toEqual([]);
    }, leasePollMs);
    expect(this.onToken().sort()).toEqual(materialIds().sort());
    await this.expectAllKeysWork(client);
    await running.stop();
  }
}
