import { expect, it } from 'vitest';
import type { StoreChange } from '../../src/keystores/catalog.js';
import type { ConnectionState } from '../../src/keystores/store.js';
import type { OpenedCatalog } from './catalog.contract.js';
import {
  addKey,
  addStore,
  intentFor,
  keyRecord,
  materialOf,
  otherScope,
  scope,
  sealedPassword,
  storeRecord,
} from './catalog-records.js';

const everyState: ConnectionState[] = ['CONNECTED', 'CONNECTING', 'FAILED', 'DISCONNECTED', 'DISCONNECTING'];
const nothing: StoreChange = { name: undefined, clusterId: undefined, password: undefined };
const deleted = { state: 'Deleted', deletionDate: null, pendingDeletionWindowInDays: null } as const;

export function storeContract(opened: () => OpenedCatalog): void {
  it('keeps a store exactly, and finds it by id, name and cluster', async () => {
    const { catalog } = opened();
    const store = storeRecord({ connectionState: 'FAILED', connectionErrorCode: 'INVALID_CREDENTIALS' });
    expect(await catalog.createStore(store, 10)).toBe('created');
    expect(await catalog.findStore(scope, store.customKeyStoreId)).toEqual(store);
    expect(await catalog.findStoreByName(scope, store.name)).toEqual(store);
    expect(await catalog.findStoreByCluster(store.clusterId)).toEqual(store);
    expect(await catalog.findStore(otherScope, store.customKeyStoreId)).toBeUndefined();
    expect(await catalog.findStoreByName(otherScope, store.name)).toBeUndefined();
    expect(await catalog.findStoreByCluster('cluster-none')).toBeUndefined();
  });

  it('takes a name once in a scope and a cluster once in all scopes', async () => {
    const { catalog } = opened();
    const { name, clusterId } = await addStore(catalog);
    expect(await catalog.createStore(storeRecord({ name }), 10)).toBe('name-in-use');
    expect(await catalog.createStore(storeRecord({ clusterId }), 10)).toBe('cluster-in-use');
    expect(await catalog.createStore(storeRecord({ ...otherScope, clusterId }), 10)).toBe('cluster-in-use');
    expect(await catalog.createStore(storeRecord({ ...otherScope, name }), 10)).toBe('created');
  });

  it('enforces the limit in each scope, even for concurrent creates', async () => {
    const { catalog, another } = opened();
    const rivals = [catalog, await another(), catalog, await another()];
    const outcomes = await Promise.all(rivals.map((rival) => rival.createStore(storeRecord(), 2)));
    expect(outcomes.sort()).toEqual(['created', 'created', 'limit-exceeded', 'limit-exceeded']);
    expect(await catalog.createStore(storeRecord(otherScope), 2)).toBe('created');
  });

  it('pages stores of a scope in the order of their ids', async () => {
    const { catalog } = opened();
    const ids: string[] = [];
    for (let count = 0; count < 5; count++) ids.push((await addStore(catalog)).customKeyStoreId);
    await addStore(catalog, otherScope);
    ids.sort();
    const page = async (after: string | undefined, limit: number) =>
      (await catalog.listStores(scope, after, limit)).map((store) => store.customKeyStoreId);
    expect(await page(undefined, 3)).toEqual(ids.slice(0, 3));
    expect(await page(ids[2], 3)).toEqual(ids.slice(3));
  });

  it('lists stores of all scopes in the given states', async () => {
    const { catalog } = opened();
    for (const connectionState of everyState) await addStore(catalog, { connectionState, name: connectionState });
    await addStore(catalog, { ...otherScope, connectionState: 'CONNECTED', name: 'other' });
    const found = await catalog.listStoresInStates(['CONNECTED', 'CONNECTING']);
    expect(found.map((store) => store.name).sort()).toEqual(['CONNECTED', 'CONNECTING', 'other']);
    expect(await catalog.listStoresInStates([])).toEqual([]);
  });

  it('changes the connection state by compare-and-set, the error code with it', async () => {
    const { catalog } = opened();
    const { customKeyStoreId } = await addStore(catalog, { connectionState: 'CONNECTING' });
    const state = async () => {
      const store = await catalog.findStore(scope, customKeyStoreId);
      return [store?.connectionState, store?.connectionErrorCode];
    };
    expect(await catalog.changeConnectionState(customKeyStoreId, ['CONNECTED'], 'FAILED', null)).toBe(false);
    expect(await catalog.changeConnectionState(customKeyStoreId, [], 'FAILED', null)).toBe(false);
    expect(await catalog.changeConnectionState('cks-none', everyState, 'FAILED', null)).toBe(false);
    expect(await state()).toEqual(['CONNECTING', null]);
    const from = ['CONNECTING', 'CONNECTED'] as const;
    expect(await catalog.changeConnectionState(customKeyStoreId, from, 'FAILED', 'NETWORK_ERRORS')).toBe(true);
    expect(await state()).toEqual(['FAILED', 'NETWORK_ERRORS']);
    expect(await catalog.changeConnectionState(customKeyStoreId, ['FAILED'], 'DISCONNECTED', null)).toBe(true);
    expect(await state()).toEqual(['DISCONNECTED', null]);
  });

  it('lets exactly one of several competing transitions win', async () => {
    const { catalog, another } = opened();
    const { customKeyStoreId } = await addStore(catalog);
    const rivals = [catalog, await another(), catalog, await another()];
    const won = await Promise.all(
      rivals.map((rival) => rival.changeConnectionState(customKeyStoreId, ['DISCONNECTED'], 'CONNECTING', null)),
    );
    expect(won.filter((one) => one)).toHaveLength(1);
  });

  it('updates the given properties and leaves the rest', async () => {
    const { catalog } = opened();
    const store = await addStore(catalog);
    const id = store.customKeyStoreId;
    expect(await catalog.updateStore(id, everyState, nothing)).toBe('updated');
    expect(await catalog.findStore(scope, id)).toEqual(store);
    expect(await catalog.updateStore(id, everyState, { ...nothing, name: 'new' })).toBe('updated');
    expect(await catalog.findStore(scope, id)).toEqual({ ...store, name: 'new' });
    expect(await catalog.updateStore(id, everyState, { ...nothing, clusterId: 'cluster-new' })).toBe('updated');
    expect(await catalog.findStore(scope, id)).toEqual({ ...store, name: 'new', clusterId: 'cluster-new' });
  });

  it('raises the version with every password', async () => {
    const { catalog } = opened();
    const { customKeyStoreId } = await addStore(catalog);
    for (const version of [2, 3]) {
      const password = sealedPassword();
      expect(await catalog.updateStore(customKeyStoreId, ['DISCONNECTED'], { ...nothing, password })).toBe('updated');
      const found = await catalog.findStore(scope, customKeyStoreId);
      expect([found?.password, found?.passwordVersion]).toEqual([password, version]);
    }
  });

  it('refuses a password that was sealed for another version', async () => {
    const { catalog, another } = opened();
    const { customKeyStoreId } = await addStore(catalog);
    const update = { ...nothing, passwordVersion: 2 };
    const rivals = [catalog, await another()];
    const outcomes = await Promise.all(
      rivals.map((rival) => rival.updateStore(customKeyStoreId, everyState, { ...update, password: sealedPassword() })),
    );
    expect(outcomes.sort()).toEqual(['updated', 'wrong-state']);
    expect((await catalog.findStore(scope, customKeyStoreId))?.passwordVersion).toBe(2);
  });

  it('updates nothing in another state, of a missing store, or to a name or cluster in use', async () => {
    const { catalog } = opened();
    const other = await addStore(catalog);
    const store = await addStore(catalog, { connectionState: 'CONNECTED' });
    const id = store.customKeyStoreId;
    const change = { name: 'new', clusterId: 'cluster-new', password: sealedPassword() };
    expect(await catalog.updateStore(id, ['DISCONNECTED', 'FAILED'], change)).toBe('wrong-state');
    expect(await catalog.updateStore('cks-none', everyState, change)).toBe('not-found');
    expect(await catalog.updateStore(id, everyState, { ...change, name: other.name })).toBe('name-in-use');
    expect(await catalog.updateStore(id, everyState, { ...change, clusterId: other.clusterId })).toBe('cluster-in-use');
    expect(await catalog.findStore(scope, id)).toEqual(store);
    expect(await catalog.updateStore(id, everyState, { ...change, name: store.name })).toBe('updated');
  });

  it('deletes a disconnected store without keys only', async () => {
    const { catalog } = opened();
    expect(await catalog.deleteStore('cks-none')).toBe('not-found');
    for (const connectionState of everyState) {
      const { customKeyStoreId } = await addStore(catalog, { connectionState });
      const expected = connectionState === 'DISCONNECTED' ? 'deleted' : 'wrong-state';
      expect(await catalog.deleteStore(customKeyStoreId)).toBe(expected);
      expect((await catalog.findStore(scope, customKeyStoreId)) === undefined).toBe(expected === 'deleted');
    }
  });

  it('keeps a store that has keys until they are tombstones, which outlive it', async () => {
    const { catalog } = opened();
    const { customKeyStoreId, clusterId } = await addStore(catalog, { connectionState: 'CONNECTED' });
    const key = await addKey(catalog, { customKeyStoreId, clusterId });
    await catalog.changeConnectionState(customKeyStoreId, ['CONNECTED'], 'DISCONNECTED', null);
    expect(await catalog.deleteStore(customKeyStoreId)).toBe('has-keys');
    await catalog.changeKeyState(scope, key.keyId, ['Enabled'], deleted);
    expect(await catalog.deleteStore(customKeyStoreId)).toBe('deleted');
    expect(await catalog.findKey(scope, key.keyId)).toMatchObject({ customKeyStoreId, state: 'Deleted' });
  });

  it('keeps a store that has keys on its cluster', async () => {
    const { catalog } = opened();
    const { customKeyStoreId, clusterId, name } = await addStore(catalog, { connectionState: 'CONNECTED' });
    const key = await addKey(catalog, { customKeyStoreId, clusterId });
    const move = { ...nothing, clusterId: 'cluster-elsewhere' };
    expect(await catalog.updateStore(customKeyStoreId, everyState, move)).toBe('has-keys');
    expect(await catalog.updateStore(customKeyStoreId, everyState, { ...nothing, clusterId })).toBe('updated');
    expect(await catalog.updateStore(customKeyStoreId, everyState, { ...nothing, name: `${name}!` })).toBe('updated');
    await catalog.changeKeyState(scope, key.keyId, ['Enabled'], deleted);
    expect(await catalog.updateStore(customKeyStoreId, everyState, move)).toBe('updated');
  });

  it('never deletes a store while a key is committed to it', async () => {
    const { catalog, another } = opened();
    const administrator = await another();
    for (let round = 0; round < 20; round++) {
      const { customKeyStoreId, clusterId } = await addStore(catalog, { connectionState: 'CONNECTED' });
      const key = keyRecord({ customKeyStoreId, clusterId });
      await catalog.openIntent(intentFor(key));
      const disconnectAndDelete = async () => {
        await administrator.changeConnectionState(customKeyStoreId, ['CONNECTED'], 'DISCONNECTED', null);
        return administrator.deleteStore(customKeyStoreId);
      };
      const [committed, outcome] = await Promise.all([catalog.commitKey(key, materialOf(key)), disconnectAndDelete()]);
      expect(outcome).toBe(committed ? 'has-keys' : 'deleted');
    }
  });
}
