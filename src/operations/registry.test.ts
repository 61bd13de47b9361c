import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../errors.js';
import type { KeyState } from '../keys/key.js';
import { checkKeyState, type KeyStates } from '../keys/key-state.js';
import type { Operation } from './operation.js';
import { type OperationName, operations, userActions } from './registry.js';

const withKeyStates = Object.entries<Operation<never>>(operations).flatMap(([name, { keyStates }]) =>
  keyStates === undefined ? [] : [[name, keyStates] as const],
);

function keyStatesOf(name: OperationName): KeyStates {
  const found = withKeyStates.find(([candidate]) => candidate === name)?.[1];
  if (found === undefined) throw new Error(`${name} has no row.`);
  return found;
}

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
  | GenerateMac                     | Y       | X[1]     | X[3]            | X[11]       |
  | ListAliases                     | Y       | Y        | Y               | Y           |
  | ReEncrypt                       | Y       | X[1]     | X[3]            | X[11]       |
  | ScheduleKeyDeletion             | Y       | Y        | X[3]            | Y           |
  | UpdateAlias                     | Y       | Y        | X[3]            | Y           |
  | UpdateKeyDescription            | Y       | Y        | X[3]            | Y           |
  | VerifyMac                       | Y       | X[1]     | X[3]            | X[11]       |`;

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
  verdicts.map((verdict, column) => ({ operation: operation as OperationName, state: states[column]!, verdict })),
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
    expect(rows.map(([operation]) => operation).sort()).toEqual(withKeyStates.map(([name]) => name).sort());
    for (const [, row] of withKeyStates) expect(Object.keys(row).sort()).toEqual([...states].sort());
  });

  it.each(cells)('$operation in $state: $verdict', ({ operation, state, verdict }) => {
    for (const isPassing of [false, true]) {
      const refusal = refusalOf(() => checkKeyState(keyStatesOf(operation), { state, isPassing }, 'ARN'));
      if (verdict === 'Y') expect(refusal).toBeUndefined();
      else {
        const [code, message] = notes[verdict] ?? [];
        // Only an Unavailable key comes back by itself; X[4] concerns a deletion that was never scheduled.
        const retryable = isPassing && verdict === 'X[11]';
        expect(refusal).toMatchObject({ code, message, keyState: state, retryable });
      }
    }
  });
});

describe('the actions that users may be given', () => {
  it('only use keys and read their records', () => {
    expect([...userActions].sort()).toEqual([
      'kms:Decrypt',
      'kms:DescribeKey',
      'kms:Encrypt',
      'kms:GenerateDataKey',
      'kms:GenerateDataKeyWithoutPlaintext',
      'kms:GenerateMac',
      'kms:GenerateRandom',
      'kms:ReEncryptFrom',
      'kms:ReEncryptTo',
      'kms:VerifyMac',
    ]);
  });
});
