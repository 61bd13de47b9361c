import type { Eventual } from '../calls/eventual.js';
import { describe, expect, it } from 'vitest';
import type { ConnectionState } from '../keystores/store.js';
import type { KeyStores } from '../keystores/key-stores.js';
import type { KeyRecord, KeyState, StoredKeyState } from './key.js';
import { type KeyStanding, keyStandingOf } from './key-state.js';

describe('the state that callers see', () => {
  const connectionStates: ConnectionState[] = ['CONNECTED', 'CONNECTING', 'FAILED', 'DISCONNECTED', 'DISCONNECTING'];
  const identity = { partition: 'aws', region: 'eu-central-1', accounts: ['111122223333'] };

  async function seen(
    state: StoredKeyState,
    customKeyStoreId: string | null,
    connection: ConnectionState,
  ): Promise<KeyState> {
    return (await standing(state, customKeyStoreId, connection)).state;
  }

  function standing(
    state: StoredKeyState,
    customKeyStoreId: string | null,
    connection: ConnectionState,
  ): Eventual<KeyStanding> {
    const key = { state, customKeyStoreId, keyId: 'k', account: '111122223333', region: 'eu-central-1' } as KeyRecord;
    const keyStores = { connectionStateOf: () => Promise.resolve(connection) } as unknown as KeyStores;
    return keyStandingOf({ keyStores, identity }, key);
  }

  it.each(connectionStates)('follows the custom key store: %s', async (connection) => {
    const hidden = connection === 'CONNECTED' ? undefined : 'Unavailable';
    expect(await seen('Enabled', 'cks-1', connection)).toBe(hidden ?? 'Enabled');
    expect(await seen('Disabled', 'cks-1', connection)).toBe(hidden ?? 'Disabled');
    expect(await seen('PendingDeletion', 'cks-1', connection)).toBe('PendingDeletion');
  });

  it.each(connectionStates)('is temporary only while the store connects: %s', async (connection) => {
    expect((await standing('Enabled', 'cks-1', connection)).isPassing).toBe(connection === 'CONNECTING');
  });

  it.each(connectionStates)('does not follow the default key store: %s', async (connection) => {
    for (const state of ['Enabled', 'Disabled', 'PendingDeletion'] as const) {
      expect(await seen(state, null, connection)).toBe(state);
    }
  });

  it.each(['Deleting', 'Deleted'] as const)('does not exist for a key that is %s', async (state) => {
    await expect(seen(state, null, 'CONNECTED')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: "Key 'arn:aws:kms:eu-central-1:111122223333:key/k' does not exist",
    });
  });
});
