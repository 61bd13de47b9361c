import { describe, expect, test } from 'vitest';
import { callerError, classify, type Classification } from './failure.js';
import { loadAddon, type NativeFailure, type NativeFailureKind } from './native.js';
import { readReturnValues } from './return-values.js';

const rows = loadAddon().returnValues();
const returnValues = readReturnValues(rows);

function failure(change: Partial<NativeFailure>): NativeFailure {
  const base = {
    kind: 'rv',
    rv: 0,
    functionName: '',
    callerFault: false,
    hsmCleared: false,
    isOfUse: true,
    member: 0,
    epoch: 1,
  } as const;
  return Object.assign(new Error('a failure'), base, change);
}

describe('a CK_RV', () => {
  test.each(rows.map((row) => [row.name, row] as const))('%s never blames the caller by itself', (_name, row) => {
    const verdict = classify(failure({ rv: row.value, functionName: 'C_Encrypt' }), returnValues);
    expect(['KMS_INTERNAL', 'KEY_UNAVAILABLE']).toContain(verdict.code);
    expect(verdict.callerFault).toBe(false);
    expect(verdict.retryElsewhere, 'another member may be well').toBe(true);
    expect(verdict.poisonsMember).toBe(row.poisonsMember);
    expect(verdict.message).not.toBe('');
  });

  test('is the ciphertext’s fault only when the canary decrypted, whatever its value', () => {
    for (const rv of [0x5, 0x40]) {
      const verdict = classify(failure({ rv, functionName: 'C_Decrypt', callerFault: true }), returnValues);
      expect(verdict).toMatchObject({ code: 'INVALID_CIPHERTEXT', countsAgainstBreaker: false, retryElsewhere: false });
    }
  });

  test('of a vendor is internal, and counts', () => {
    expect(returnValues(0x8000_1234)).toMatchObject({ name: '0x80001234', code: 'KMS_INTERNAL', transient: true });
    expect(classify(failure({ rv: 0x8000_1234 }), returnValues)).toMatchObject({
      countsAgainstBreaker: true,
      retryElsewhere: true,
    });
  });
});

const expected: Record<Exclude<NativeFailureKind, 'rv'>, Partial<Classification>> = {
  'queue-deadline': { code: 'DEPENDENCY_TIMEOUT', countsAgainstBreaker: false },
  cancelled: { code: 'CANCELLED', countsAgainstBreaker: false, retryElsewhere: false },
  overdue: { code: 'DEPENDENCY_TIMEOUT', countsAgainstBreaker: false, poisonsMember: false, retryElsewhere: true },
  'lane-deadline': { code: 'DEPENDENCY_TIMEOUT', poisonsMember: true },
  'material-missing': { code: 'KMS_INVALID_STATE', countsAgainstBreaker: false, alert: 'material-missing' },
  'material-ambiguous': { code: 'KMS_INVALID_STATE', countsAgainstBreaker: false, alert: 'material-ambiguous' },
  'material-mismatch': { code: 'KMS_INVALID_STATE', countsAgainstBreaker: false, alert: 'material-mismatch' },
  'look-up-failed': { code: 'KMS_INTERNAL', countsAgainstBreaker: true, poisonsMember: false, retryElsewhere: true },
  'canary-failed': { code: 'KMS_INVALID_STATE', retryElsewhere: true, alert: 'canary-failed' },
  'bad-output': {
    code: 'KMS_INTERNAL',
    countsAgainstBreaker: true,
    poisonsMember: false,
    callerFault: false,
    retryElsewhere: true,
  },
  'key-refused': { code: 'KMS_INVALID_STATE', countsAgainstBreaker: false, retryElsewhere: true, alert: 'key-refused' },
  'self-test-failed': { code: 'KMS_INTERNAL', poisonsMember: true, retryElsewhere: true, alert: null },
  'handle-revoked': { code: 'KMS_INTERNAL', countsAgainstBreaker: false, retryElsewhere: true, alert: null },
  'queue-full': { code: 'LIMIT_EXCEEDED', countsAgainstBreaker: false, retryAfterMs: 200 },
  'no-member': { code: 'KEY_UNAVAILABLE', countsAgainstBreaker: false, retryElsewhere: true },
  closed: { code: 'KEY_UNAVAILABLE', countsAgainstBreaker: false },
  module: { code: 'KEY_UNAVAILABLE', poisonsMember: true },
  'module-in-use': { code: 'KEY_UNAVAILABLE', poisonsMember: true },
  lock: { code: 'KEY_UNAVAILABLE', countsAgainstBreaker: false },
  'lock-held': { code: 'KEY_UNAVAILABLE', countsAgainstBreaker: false },
  'token-missing': { code: 'KEY_UNAVAILABLE', poisonsMember: true },
  'too-long': { code: 'UNSUPPORTED_OPERATION', countsAgainstBreaker: false, callerFault: false },
  stuck: { code: 'KEY_UNAVAILABLE', poisonsMember: true },
};

test.each(Object.entries(expected))('%s', (kind, verdict) => {
  expect(classify(failure({ kind: kind as NativeFailureKind }), returnValues)).toMatchObject(verdict);
});

test('a request that waited for a lane of one member is retried elsewhere, one that waited for any member is not', () => {
  expect(classify(failure({ kind: 'queue-deadline', member: 0 }), returnValues).retryElsewhere).toBe(true);
  expect(classify(failure({ kind: 'queue-deadline', member: -1 }), returnValues).retryElsewhere).toBe(false);
});

test('the cause is kept out of the message', () => {
  const cause = failure({ rv: 0x30, message: 'C_Encrypt: CKR_DEVICE_ERROR' });
  const error = callerError(classify(cause, returnValues), cause, { retryable: true });
  expect(error.cause).toBe(cause);
  expect(error.message).not.toContain('CKR');
});

test("only a failure about time alone can be the caller's own deadline", () => {
  for (const kind of Object.keys(expected) as NativeFailureKind[]) {
    const its = failure({ kind });
    const error = callerError(classify(its, returnValues), its, { retryable: true }, true);
    expect(error.callerDeadline, kind).toBe(kind === 'overdue' || kind === 'queue-deadline');
    expect(callerError(classify(its, returnValues), its, { retryable: true }).callerDeadline).toBe(false);
  }
});

test('a table with an unknown code is refused', () => {
  const [row] = rows.filter(({ name }) => name === 'CKR_CANCEL').map((real) => ({ ...real, code: 'NO_SUCH_CODE' }));
  expect(() => readReturnValues(row === undefined ? [] : [row])).toThrow(/CKR_CANCEL to NO_SUCH_CODE/);
});

test.each([0x6f, 0x7fff, 0x8000_0001, 0x8000_0011, 0xffff_fffe])(
  'the unknown code %i is treated as the addon treats it',
  (value) => {
    const { name, ...known } = returnValues(0x8000_0000);
    expect(name).toBe('CKR_VENDOR_DEFINED');
    expect(returnValues(value)).toEqual({ ...known, value, name: `0x${value.toString(16)}` });
  },
);
