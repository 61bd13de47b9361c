import { expect, test } from 'vitest';
import { retryability } from '../errors.js';
import { callerError, classify, type Classification } from './failure.js';
import { loadAddon, type NativeFailure, type NativeFailureKind } from './native.js';
import { bestOutlook, type Outlook, retryAfterFailure, retryOptions } from './outlook.js';
import { readReturnValues } from './return-values.js';

const admitted: Outlook = { returns: true, inMs: 0 };
const probedSoon: Outlook = { returns: true, inMs: 700 };
const probedLater: Outlook = { returns: true, inMs: 9_000 };
const stuck: Outlook = { returns: true, inMs: undefined };
const refused: Outlook = { returns: false };

test('a cluster returns with the first member that returns', () => {
  expect(bestOutlook([])).toEqual(refused);
  expect(bestOutlook([refused, refused])).toEqual(refused);
  expect(bestOutlook([refused, probedLater, probedSoon])).toEqual(probedSoon);
  expect(bestOutlook([refused, stuck])).toEqual(stuck);
  expect(bestOutlook([stuck, probedLater])).toEqual(probedLater);
  expect(bestOutlook([probedSoon, admitted])).toEqual(admitted);
});

test('callers wait for the next probe, and not at all while a member takes work', () => {
  expect(retryOptions(probedSoon)).toEqual({ retryable: true, retryAfterMs: 700 });
  expect(retryOptions(admitted)).toEqual({ retryable: true, retryAfterMs: undefined });
  expect(retryOptions(stuck)).toEqual({ retryable: true, retryAfterMs: undefined });
  expect(retryOptions(refused)).toEqual({ retryable: false });
});

const returnValues = readReturnValues(loadAddon().returnValues());

const kinds = Object.keys({
  'bad-output': 0,
  'module-in-use': 0,
  'canary-failed': 0,
  'handle-revoked': 0,
  'key-refused': 0,
  'lane-deadline': 0,
  'lock-held': 0,
  'look-up-failed': 0,
  'material-ambiguous': 0,
  'material-mismatch': 0,
  'material-missing': 0,
  'no-member': 0,
  'queue-deadline': 0,
  'queue-full': 0,
  'self-test-failed': 0,
  'token-missing': 0,
  'too-long': 0,
  stuck: 0,
  cancelled: 0,
  closed: 0,
  lock: 0,
  module: 0,
  overdue: 0,
} satisfies Record<Exclude<NativeFailureKind, 'rv'>, 0>) as NativeFailureKind[];

const failures = [
  ...kinds.map((kind) => ({ kind, rv: 0 })),
  ...loadAddon()
    .returnValues()
    .map(({ value }) => ({ kind: 'rv' as const, rv: value })),
];

/** The advice for a classified failure, given the members' outlook. */
function retryOf(classification: Classification, whole: Outlook, away: Outlook) {
  return retryAfterFailure(classification, { whole, away });
}

test('a failure is retryable exactly if its code may be and, for an unreachable key, if the HSM returns', () => {
  for (const { kind, rv } of failures) {
    const failure = { kind, rv, functionName: 'C_Encrypt', epoch: 1, member: 0 } as NativeFailure;
    const classification = classify(failure, returnValues);
    const what = `${kind} ${rv.toString(16)}`;
    if (classification.alert !== null) {
      // The material is broken here. An absent member may have a sound copy.
      expect(retryOf(classification, admitted, refused), what).toEqual({ retryable: false });
      expect(retryOf(classification, admitted, probedSoon), what).toEqual({ retryable: true, retryAfterMs: 700 });
    } else if (classification.code === 'KEY_UNAVAILABLE') {
      expect(retryOf(classification, refused, refused), what).toEqual({ retryable: false });
      expect(retryOf(classification, probedSoon, probedSoon), what).toEqual({ retryable: true, retryAfterMs: 700 });
    } else {
      const { retryable } = retryOf(classification, probedSoon, probedSoon);
      expect(retryable, what).toBe(retryability[classification.code] !== 'never');
    }
  }
});

test('"Try again" is said exactly if a retry may help', () => {
  const outlooks = [refused, probedSoon, admitted, stuck];
  for (const { kind, rv } of failures) {
    const failure = { kind, rv, functionName: 'C_Encrypt', epoch: 1, member: 0 } as NativeFailure;
    const classification = classify(failure, returnValues);
    for (const outlook of outlooks) {
      const error = callerError(classification, failure, retryOf(classification, outlook, outlook));
      const what = `${kind} ${rv.toString(16)} ${JSON.stringify(outlook)}: ${error.message}`;
      if (!error.retryable) expect(error.message, what).not.toContain('ry again');
      if (error.code === 'KEY_UNAVAILABLE') {
        expect(error.message, what).toMatch(outlook.returns ? /Try again\.$/ : /operator/);
        expect(error.retryable, what).toBe(outlook.returns);
      }
    }
  }
});

test('a full queue has its own retry hint', () => {
  const failure = { kind: 'queue-full', rv: 0, epoch: 0, member: -1 } as NativeFailure;
  const classification = classify(failure, returnValues);
  expect(retryOf(classification, admitted, refused)).toEqual({ retryable: true, retryAfterMs: 200 });
});
