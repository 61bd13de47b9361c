import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addKey, addStore, aliasFor, day, keyRecord, scope } from '../../test/contract/catalog-records.js';
import { systemClock } from '../clock-system.js';
import type { ChangeFeed } from '../coordination/change-feed.js';
import { Presence } from '../coordination/presence.js';
import { HoldfastError } from '../errors.js';
import type { KeyRecord } from '../keys/key.js';
import { confirmedRecord } from '../keys/time-record.js';
import type { Catalog } from './database.js';
import { withReadCache } from './read-cache.js';
import type { SqliteCatalog } from './sqlite.js';
import { openTestCatalog } from '../../test/catalog-file.js';

const disabled = { state: 'Disabled', deletionDate: null, pendingDeletionWindowInDays: null } as const;

describe('on a shared SQLite file', () => {
  let folder: string;
  let here: SqliteCatalog;
  let there: SqliteCatalog;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-cache-'));
    const options = { path: join(folder, 'catalog.db'), clock: systemClock };
    here = await openTestCatalog(options);
    there = await openTestCatalog(options);
  });
  afterEach(async () => {
    await here.close();
    await there.close();
    rmSync(folder, { recursive: true });
  });

  it('reads a record once, then gives the same one', async () => {
    const { keyId } = await addKey(here);
    const first = await here.findKey(scope, keyId);
    expect(await here.findKey(scope, keyId)).toBe(first);
    expect(await here.findKey({ ...scope, account: '999999999999' }, keyId)).toBeUndefined();
  });

  it('sees its own writes and those of another connection with the next read', async () => {
    const { keyId } = await addKey(here);
    for (const writer of [here, there]) {
      expect((await here.findKey(scope, keyId))?.state).toBe('Enabled');
      await writer.changeKeyState(scope, keyId, ['Enabled'], disabled);
      expect((await here.findKey(scope, keyId))?.state).toBe('Disabled');
      await writer.changeKeyState(scope, keyId, ['Disabled'], { ...disabled, state: 'Enabled' });
    }
  });

  it('keeps its entries while any process reserves encryptions, reads the clock, or sends a heartbeat', async () => {
    const key = await addKey(here);
    const first = await here.findKey(scope, key.keyId);
    for (const writer of [here, there]) {
      await writer.reserveEncryptions(key.currentMaterialId, 1);
      await writer.changeTimeRecord(() => confirmedRecord({ date: day(1), bootId: 'a boot', sinceBootMs: 1 }));
      await new Presence(writer, 'a process').beat();
      await nextTurn();
      expect(await here.findKey(scope, key.keyId)).toBe(first);
    }
  });

  it('sees every kind of record change', async () => {
    const [one, two] = [await addKey(here), await addKey(here)];
    const store = await addStore(here);
    const ofOne = { scope, targetKeyId: one.keyId, afterAliasName: undefined, limit: 10 };
    const look = async () => ({
      alias: (await here.findAlias(scope, 'alias/a'))?.targetKeyId,
      aliases: (await here.listAliases(ofOne)).length,
      store: (await here.findStore(scope, store.customKeyStoreId))?.connectionState,
      destroyed: (await here.findMaterial(one.currentMaterialId))?.destroyedDate,
    });
    await there.createAlias(aliasFor(one, 'alias/a'), 50);
    expect(await look()).toEqual({ alias: one.keyId, aliases: 1, store: 'DISCONNECTED', destroyed: null });
    await there.updateAlias(scope, 'alias/a', two.keyId, day(5), 50);
    await there.changeConnectionState(store.customKeyStoreId, ['DISCONNECTED'], 'CONNECTING', null);
    await there.changeKeyState(scope, one.keyId, ['Enabled'], { ...disabled, state: 'Deleting' });
    await there.completeDeletion(scope, one.keyId, day(6));
    expect(await look()).toEqual({ alias: two.keyId, aliases: 0, store: 'CONNECTING', destroyed: day(6) });
  });

  it('never serves a value older than an acknowledged write, however reads and writes interleave', async () => {
    const { keyId } = await addKey(here);
    for (let round = 0; round < 50; round++) {
      const writer = round % 2 === 0 ? here : there;
      const from = (await here.findKey(scope, keyId))?.state ?? 'Deleted';
      const to = from === 'Enabled' ? 'Disabled' : 'Enabled';
      const before = Array.from({ length: 5 }, () => here.findKey(scope, keyId));
      const write = writer.changeKeyState(scope, keyId, [from], { ...disabled, state: to });
      const during = Array.from({ length: 5 }, () => here.findKey(scope, keyId));
      expect(await write).toBe(true);
      expect((await here.findKey(scope, keyId))?.state).toBe(to);
      await Promise.all([...before, ...during]);
      expect((await here.findKey(scope, keyId))?.state).toBe(to);
    }
  });

  it('distinguishes questions with different limits and starting points', async () => {
    const key = await addKey(here);
    for (const name of ['alias/a', 'alias/b', 'alias/c']) await here.createAlias(aliasFor(key, name), 50);
    const query = { scope, targetKeyId: key.keyId, afterAliasName: undefined, limit: 2 };
    const names = async (change: { limit?: number; afterAliasName?: string; targetKeyId?: undefined }) =>
      (await here.listAliases({ ...query, ...change })).map((alias) => alias.aliasName);
    expect(await names({})).toEqual(['alias/a', 'alias/b']);
    expect(await names({ limit: 1 })).toEqual(['alias/a']);
    expect(await names({ limit: 10 })).toHaveLength(3);
    expect(await names({ afterAliasName: 'alias/a' })).toEqual(['alias/b', 'alias/c']);
    expect(await names({ targetKeyId: undefined })).toEqual(['alias/a', 'alias/b']);
  });

  it('gives records that one caller cannot change for the others', async () => {
    const key = await addKey(here);
    const found = (await here.findKey(scope, key.keyId)) as KeyRecord;
    const material = await here.findMaterial(key.currentMaterialId);
    await here.createAlias(aliasFor(key, 'alias/a'), 50);
    const query = { scope, targetKeyId: key.keyId, afterAliasName: undefined, limit: 10 };
    const aliases = await here.listAliases(query);
    for (const shared of [found, material, material?.canary, aliases, aliases[0]]) {
      expect(Object.isFrozen(shared)).toBe(true);
    }
    expect(() => (found.state = 'Disabled')).toThrow(TypeError);
  });
});

describe('in memory', () => {
  let asked: string[];
  let changes: number;
  let position: ChangeFeed['position'];
  let existing: (keyId: string) => Promise<KeyRecord | undefined>;
  let catalog: Catalog;
  const opened = (capacity: number): Catalog => withReadCache(catalog, { position: () => position() }, capacity);

  beforeEach(() => {
    asked = [];
    changes = 0;
    position = () => changes;
    existing = (keyId) => Promise.resolve(keyRecord({ keyId }));
    catalog = {
      findKey: (_: unknown, keyId: string) => {
        asked.push(keyId);
        return existing(keyId);
      },
    } as Catalog;
  });

  it('keeps as many as it may and drops the least recently used', async () => {
    const cached = opened(2);
    for (const keyId of ['a', 'b', 'a', 'c', 'a', 'b']) await cached.findKey(scope, keyId);
    expect(asked).toEqual(['a', 'b', 'c', 'b']);
  });

  it('asks once for a record that many callers want at the same time', async () => {
    const cached = opened(10);
    const callers = Array.from({ length: 1_000 }, async () => cached.findKey(scope, 'a'));
    const found = await Promise.all(callers);
    expect(asked).toEqual(['a']);
    expect(new Set(found).size).toBe(1);
  });

  it('does not share a read that began before a change', async () => {
    const cached = opened(10);
    const before = cached.findKey(scope, 'a');
    changes += 1;
    const after = cached.findKey(scope, 'a');
    expect(await before).not.toBe(await after);
    expect(await cached.findKey(scope, 'a')).toBe(await after);
    expect(asked).toEqual(['a', 'a']);
  });

  it('keeps apart what is asked about one name, and bounds it', async () => {
    const answering = (kind: string) => (of: { account: string }) =>
      Promise.resolve({ answer: `${kind} of ${of.account}` });
    catalog = {
      findKey: answering('key'),
      findAlias: answering('alias'),
      findStore: answering('store'),
      findMaterial: () => Promise.resolve({ answer: 'material' }),
      listAliases: ({ limit }: { limit: number }) => {
        asked.push(String(limit));
        return Promise.resolve([{ answer: `${limit} aliases` }]);
      },
    } as unknown as Catalog;
    const cached = opened(1);
    const others = { ...scope, account: '999999999999' };
    for (let round = 0; round < 3; round += 1) {
      for (const of of [scope, others]) {
        expect(await cached.findKey(of, 'a')).toEqual({ answer: `key of ${of.account}` });
        expect(await cached.findAlias(of, 'a')).toEqual({ answer: `alias of ${of.account}` });
        expect(await cached.findStore(of, 'a')).toEqual({ answer: `store of ${of.account}` });
        expect(await cached.findMaterial('a')).toEqual({ answer: 'material' });
      }
    }
    const aliases = async (limit: number) =>
      cached.listAliases({ scope, targetKeyId: 'a', afterAliasName: undefined, limit });
    for (let limit = 1; limit <= 40; limit += 1) expect(await aliases(limit)).toEqual([{ answer: `${limit} aliases` }]);
    await aliases(40);
    await aliases(1);
    expect(asked.filter((limit) => limit === '40')).toHaveLength(1);
    expect(asked.filter((limit) => limit === '1')).toHaveLength(2);
  });

  it('keeps neither failures nor misses', async () => {
    const cached = opened(10);
    existing = () => Promise.reject(new Error('busy'));
    await expect(cached.findKey(scope, 'a')).rejects.toThrow('busy');
    existing = () => Promise.resolve(undefined);
    expect(await cached.findKey(scope, 'a')).toBeUndefined();
    existing = (keyId) => Promise.resolve(keyRecord({ keyId }));
    expect(await cached.findKey(scope, 'a')).toBeDefined();
    expect(asked).toEqual(['a', 'a', 'a']);
  });

  it('gives a cached record without a promise, and shares the promise of a read that is under way', async () => {
    const cached = opened(10);
    const first = cached.findKey(scope, 'a');
    expect(first).toBeInstanceOf(Promise);
    expect(cached.findKey(scope, 'a')).toBe(first);
    const found = await first;
    expect(cached.findKey(scope, 'a')).toBe(found);
    changes += 1;
    expect(cached.findKey(scope, 'a')).toBeInstanceOf(Promise);
  });

  it('does not keep the result of a read that began before a change', async () => {
    const cached = opened(10);
    const before = cached.findKey(scope, 'a');
    changes += 1;
    const after = cached.findKey(scope, 'a');
    const found = await after;
    await before;
    expect(cached.findKey(scope, 'a')).toBe(found);
    changes += 1;
    expect(cached.findKey(scope, 'a')).toBeInstanceOf(Promise);
  });

  it('fails with a rejection, never with a throw', async () => {
    const cached = opened(10);
    existing = () => {
      throw new Error('at once');
    };
    await expect(cached.findKey(scope, 'a')).rejects.toBeInstanceOf(HoldfastError);
    existing = (keyId) => Promise.resolve(keyRecord({ keyId }));
    expect(await cached.findKey(scope, 'a')).toBeDefined();
  });

  it('waits for a position that must be asked for, and forgets its entries when it has moved', async () => {
    const cached = opened(10);
    position = () => Promise.resolve(changes);
    const first = await cached.findKey(scope, 'a');
    expect(await cached.findKey(scope, 'a')).toBe(first);
    changes += 1;
    expect(await cached.findKey(scope, 'a')).not.toBe(first);
    expect(asked).toEqual(['a', 'a']);
  });

  it('serves nothing older than a change, in whatever order positions arrive', async () => {
    const cached = opened(10);
    const pending: ((position: number) => void)[] = [];
    position = () => new Promise((resolve) => pending.push(resolve));
    const [early, late] = [cached.findKey(scope, 'a'), cached.findKey(scope, 'a')];
    pending[1]?.(2);
    const afterChange = await late;
    pending[0]?.(1);
    await early;
    position = () => 2;
    const served = await cached.findKey(scope, 'a');
    expect(afterChange).toBeDefined();
    expect([asked.length, served !== undefined]).toEqual([3, true]);
  });

  it('gives no cached answer while it is unknown whether the answer is still true', async () => {
    const cached = opened(10);
    await cached.findKey(scope, 'a');
    position = () => Promise.reject(new Error('the connection'));
    await expect(cached.findKey(scope, 'a')).rejects.toBeInstanceOf(HoldfastError);
    position = () => {
      throw new Error('the disk');
    };
    await expect(cached.findKey(scope, 'a')).rejects.toBeInstanceOf(HoldfastError);
    position = () => changes;
    expect(await cached.findKey(scope, 'a')).toBeDefined();
    expect(asked).toEqual(['a']);
  });

  it('keeps nothing if its size is zero', async () => {
    const cached = opened(0);
    await cached.findKey(scope, 'a');
    await cached.findKey(scope, 'a');
    expect(asked).toEqual(['a', 'a']);
  });
});
