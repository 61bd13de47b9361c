import { describe, expect, it } from 'vitest';
import type { ConnectionState } from '../keystores/store.js';
import type { KeyStores } from '../keystores/key-stores.js';
import { HoldfastError } from '../errors.js';
import type { KeyRecord, KeyState, StoredKeyState } from './key.js';
import { checkKeyState, type KeyStanding, keyStandingOf, keyStateTable, type KeyOperation } from './key-state.js';

/** AWS KMS Developer Guide, "Key states of AWS KMS keys", in its own notation: Y works, X[n] fails as note n says. */
const published = `
  | API                             | Enabled | Disabled | PendingDeletion | Unavailable |
  | CancelKeyDeletion               | X[4]    | X[4]     | Y               | X[4]        |
  | CreateAlias                     | Y       | Y        | X[3]            | Y           |
  | Decrypt                         | Y       | X[1]     | X[3]            | X[11]       |
  | DeleteAlias                     | Y       | Y        | Y               | Y           |
  | DescribeKey                     | Y       | Y        | Y               | Y           |
  | DisableKey                      | Y       | Y        | X[3]            | Y           |
  | EnableKey                       | Y       | Y        | X[3]            | Y           |
  | Encrypt                         | Y       | X[1]     | X[3]            | X[11]       |
  | GenerateDataKey                 | Y       | X[1]     | X[3]            | X[11]       |
  | GenerateDataKeyWithoutPlaintext | Y       | X[1]     | X[3]            | X[11]       |
  | ListAliases                     | Y       | Y        | Y               | Y           |
  | ReEncrypt                       | Y       | X[1]     | X[3]            | X[11]       |
  | ScheduleKeyDeletion             | Y       | Y        | X[3]            | Y           |
  | UpdateAlias                     | Y       | Y        | X[3]            | Y           |`;

const notes: Record<string, [code: string, message: string]> = {
  'X[1]': ['DISABLED', 'ARN is disabled.'],
  'X[3]': ['KMS_INVALID_STATE', 'ARN is pending deletion.'],
  'X[4]': ['KMS_INVALID_STATE', 'ARN is not pending deletion.'],
  'X[11]': ['KMS_INVALID_STATE', 'ARN is unavailable.'],
};

const [header, ...rows] = published
  .trim()
  .split('\n')
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
const states = header!.slice(1) as KeyState[];
const cells = rows.flatMap(([operation, ...verdicts]) =>
  verdicts.map((verdict, column) => ({ operation: operation as KeyOperation, state: states[column]!, verdict })),
);

function refusalOf(check: () => void): HoldfastError | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return error;
  }
}

describe('the key state table', () => {
  it('has exactly the published rows and columns', () => {
    expect(rows.map(([operation]) => operation).sort()).toEqual(Object.keys(keyStateTable).sort());
    for (const row of Object.values(keyStateTable)) expect(Object.keys(row).sort()).toEqual([...states].sort());
  });

  it.each(cells)('$operation in $state: $verdict', ({ operation, state, verdict }) => {
    for (const isPassing of [false, true]) {
      const refusal = refusalOf(() => checkKeyState(operation, { state, isPassing }, 'ARN'));
      if (verdict === 'Y') expect(refusal).toBeUndefined();
      else {
        const [code, message] = notes[verdict] ?? [];
        // Only an Unavailable key comes back by itself; X[4] asks for a deletion that nobody scheduled.
        const retryable = isPassing && verdict === 'X[11]';
        expect(refusal).toMatchObject({ code, message, keyState: state, retryable });
      }
    }
  });
});

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
  ): Promise<KeyStanding> {
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

  it.each(connectionStates)('passes by itself only while the store connects: %s', async (connection) => {
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
